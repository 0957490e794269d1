// The live picture beside the portrait in the chip, for the clerk's eyes only: it is shown in this page, and never
// stored, compared by a program, or sent anywhere. The camera runs only while a portrait is shown.
"use strict";

const terminalCamera = (() => {
  const button = document.getElementById("camera");
  const hasCamera = navigator.mediaDevices !== undefined;
  let isOn = hasCamera && localStorage.getItem("membercard-camera") === "on";
  let stream = null;
  let figure = null;

  const say = (text) => {
    button.textContent = text ?? (isOn ? button.dataset.on : button.dataset.off);
    button.setAttribute("aria-pressed", String(isOn));
  };

  const stop = () => {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
  };

  const attach = async (place) => {
    figure = place;
    if (figure === null || !isOn) {
      if (figure !== null) figure.hidden = true;
      stop();
      return;
    }
    try {
      stream ??= await navigator.mediaDevices.getUserMedia({ audio: false, video: { width: 640 } });
    } catch {
      isOn = false;
      say(button.dataset.none);
      return;
    }
    // The card may have gone while the camera started.
    if (figure !== place || !isOn) {
      if (figure === null || !isOn) stop();
      return;
    }
    place.querySelector("video").srcObject = stream;
    place.hidden = false;
  };

  button.addEventListener("click", () => {
    isOn = hasCamera && !isOn;
    localStorage.setItem("membercard-camera", isOn ? "on" : "off");
    say(hasCamera ? undefined : button.dataset.none);
    attach(figure);
  });
  say();
  return { attach };
})();
