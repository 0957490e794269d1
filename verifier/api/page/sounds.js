// Verdicts to be heard, made by Web Audio: no file, no network. A browser makes no sound before somebody has pressed a
// key or clicked; who types a CAN has. `wake` is called on every key, and until then the button says that sound waits.
"use strict";

const terminalSounds = (() => {
  const TUNES = {
    // Frequency in hertz, begin and length in seconds, wave.
    accepted: [[660, 0, 0.14, "sine"], [990, 0.15, 0.28, "sine"]],
    refused: [[196, 0, 0.3, "square"], [147, 0.34, 0.5, "square"]],
    unreadable: [[440, 0, 0.16, "triangle"], [440, 0.26, 0.16, "triangle"], [440, 0.52, 0.16, "triangle"]],
    wrong: [[294, 0, 0.22, "triangle"]],
  };
  const button = document.getElementById("sound");
  let context = null;
  let played = "";
  let isOn = localStorage.getItem("membercard-sound") !== "off";

  const say = () => {
    const isReady = context !== null && context.state === "running";
    button.textContent = !isOn ? button.dataset.off : isReady ? button.dataset.on : button.dataset.waits;
    button.setAttribute("aria-pressed", String(isOn));
  };

  const wake = () => {
    if (context === null) {
      context = new AudioContext();
      context.addEventListener("statechange", say);
    }
    if (context.state === "suspended") context.resume();
    say();
  };

  const play = (name, presentation) => {
    const key = `${name} ${presentation}`;
    const isNew = key !== played;
    played = name === "" ? "" : key;
    if (!isNew || !isOn || context === null || !(name in TUNES)) return;
    for (const [frequency, begin, length, wave] of TUNES[name]) {
      const tone = new OscillatorNode(context, { frequency, type: wave });
      const volume = new GainNode(context, { gain: 0 });
      const start = context.currentTime + begin;
      volume.gain.setTargetAtTime(wave === "square" ? 0.08 : 0.25, start, 0.01);
      volume.gain.setTargetAtTime(0, start + length, 0.03);
      tone.connect(volume).connect(context.destination);
      tone.start(start);
      tone.stop(start + length + 0.3);
    }
    document.body.dataset.heard = name;
  };

  button.addEventListener("click", () => {
    isOn = !isOn;
    localStorage.setItem("membercard-sound", isOn ? "on" : "off");
    wake();
  });
  say();
  return { play, wake };
})();
