// The menu that Pinokio shows for SVI in WanGP. Each entry runs the JSON file of its name.
const entry = (icon, text, href, more) => ({ icon: `fa-solid fa-${icon}`, text, href, ...more })

const ENTRIES = [
  ["plug", "Add or repair SVI", "install.json"],
  ["arrows-rotate", "Update WanGP, keep SVI", "update.json"],
  ["film", "Films, LoRAs and the rest", "menu.json"],
  ["stethoscope", "Look for problems", "doctor.json"],
  ["broom", "Take SVI out", "revert.json"],
]

module.exports = {
  version: "3.0",
  title: "SVI in WanGP",
  description: "Endless video with SVI (Stable Video Infinity) in WanGP, and back again byte for byte.",
  menu: async (kernel, info) => {
    const running = ENTRIES.find(([, , script]) => info.running(script))
    if (running) return [entry(running[0], `${running[1]} ...`, running[2], { default: true })]
    if (!info.exists("app")) return [entry(...ENTRIES[0], { default: true })]
    return ENTRIES.map((each) => entry(...each))
  },
}
