"""Plays a video in Chromium without a window, and tells what the page saw."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PATIENCE = 90
PAGE = """<meta charset=utf-8><video id=v muted src="/video"></video><script>
const v = document.getElementById('v'), times = [], seen = [], seeks = SEEKS;
function count(now, frame) { times.push(frame.mediaTime); v.requestVideoFrameCallback(count) }
v.requestVideoFrameCallback(count);
function picture() {
  const c = document.createElement('canvas'), x = c.getContext('2d');
  c.width = 24; c.height = 16;
  x.drawImage(v, 0, 0, 24, 16);
  return Array.from(x.getImageData(0, 0, 24, 16).data).filter((_, at) => at % 4 < 3)
}
function tell(how, further) {
  fetch('/told', {method: 'POST', body: JSON.stringify({
    how, error: v.error && v.error.message, duration: v.duration, width: v.videoWidth, height: v.videoHeight,
    sound: v.webkitAudioDecodedByteCount, seen, ...further})})
}
v.onended = async () => {
  const played = {
    time: v.currentTime, frames: v.getVideoPlaybackQuality().totalVideoFrames,
    rising: times.every((time, at) => !at || time >= times[at - 1])
  };
  for (const at of seeks) {
    v.currentTime = at;
    await new Promise(go => v.onseeked = () => setTimeout(go, 300));
    seen.push(picture())
  }
  tell('ended', played)
};
v.onerror = () => tell('error');
v.play().catch(error => tell('play: ' + error));
</script>"""


def program() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


def play(video: Path, seeks: Sequence[float] = ()) -> dict[str, Any]:
    """Play a video to its end.

    Args:
        seeks: seconds to jump to after that, in this order.

    Returns:
        How it ended, ``error``, ``time``, ``duration``, ``width``, ``height``, ``frames`` (decoded until the end),
        ``sound`` (bytes decoded), ``rising`` (whether time went forwards), and ``seen``: the picture after each jump,
        24x16 pixels, RGB.
    """
    data, told = video.read_bytes(), queue.Queue[dict[str, Any]]()
    page = PAGE.replace("SEEKS", json.dumps(list(seeks))).encode()

    class Server(BaseHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            pass

        def do_POST(self) -> None:
            told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def do_GET(self) -> None:
            body, kind = (data, "video/mp4") if self.path == "/video" else (page, "text/html")
            first, _, last = self.headers.get("Range", "bytes=0-").partition("=")[2].partition("-")
            start, end = int(first or 0), int(last or len(body) - 1)
            self.send_response(206 if "Range" in self.headers else 200)
            if "Range" in self.headers:
                self.send_header("Content-Range", f"bytes {start}-{end}/{len(body)}")
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(end - start + 1))
            self.end_headers()
            try:
                self.wfile.write(body[start : end + 1])
            except OSError:
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser = program()
    assert browser is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={profile}"]
        options += ["--autoplay-policy=no-user-gesture-required", f"http://127.0.0.1:{server.server_port}/"]
        process = subprocess.Popen([browser, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return told.get(timeout=PATIENCE)
        finally:
            process.terminate()
            process.wait()
            server.shutdown()
            server.server_close()
