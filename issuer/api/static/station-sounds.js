// What became of a chip, to be heard; made by Web Audio: no file, no network. A browser makes no sound before somebody
// has pressed a key, and until then the page says so.
"use strict";

const stationSounds = (() => {
  const TUNES = {
    // Frequency in hertz, begin and length in seconds, wave.
    good: [[660, 0, 0.12, "sine"], [990, 0.13, 0.24, "sine"]],
    bad: [[220, 0, 0.26, "square"], [165, 0.3, 0.26, "square"], [165, 0.62, 0.4, "square"]],
  };
  const KEY = "membercard-station-sound";
  const button = document.getElementById("sound");
  const words = button.querySelector("span");
  let context = null;
  let isOn = localStorage.getItem(KEY) !== "off";

  const say = () => {
    const isReady = context !== null && context.state === "running";
    words.textContent = !isOn ? button.dataset.off : isReady ? button.dataset.on : button.dataset.waits;
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

  const play = (name) => {
    document.body.dataset.heard = isOn ? name : "";
    if (!isOn || context === null || !(name in TUNES)) return;
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
  };

  const turn = () => {
    isOn = !isOn;
    localStorage.setItem(KEY, isOn ? "on" : "off");
    wake();
  };

  say();
  return { play, wake, turn };
})();
