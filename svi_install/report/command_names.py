"""The names of the commands; a module of its own so that asking for one imports no other."""

from __future__ import annotations

# One line each, so that --help need not import the commands.
SUBCOMMANDS = {
    "install": "Add SVI to WanGP; what svi-install does without a command.",
    "revert": "Take SVI out again, byte for byte; the same as --revert.",
    "status": "Say what is installed and what to do next; the same as --status.",
    "fetch": "Download SVI's LoRAs, list them or check them.",
    "profiles": "Say which profile is for what, and how long a clip takes on which card.",
    "render": "Render a film of any length from one image and a few lines.",
    "worker": "Make clips for films that are rendered on several computers.",
    "drift": "Say what a long video loses from clip to clip, where, and what to do.",
    "update": "Update WanGP with git and keep SVI in it.",
    "launch": "Make sure that SVI is in, then start WanGP.",
    "shortcut": "Put a start file on the desktop that starts WanGP with SVI.",
    "doctor": "Look for problems, and name the command that fixes each of them.",
    "plugin": "Build SVI as a plugin of WanGP, in a folder that can be published.",
    "check": "For maintainers: say whether every release of WanGP can be patched.",
    "repair-patches": "For maintainers: propose diffs for a WanGP that is refused.",
}
# The modules of the commands that cli does not hold itself.
ELSEWHERE = {
    "fetch": "fetch",
    "profiles": "profiles",
    "render": "render",
    "worker": "farm",
    "drift": "drift",
    "update": "care",
    "launch": "care",
    "shortcut": "care",
    "doctor": "care",
    "plugin": "plugin",
    "check": "history",
    "repair-patches": "history",
}
