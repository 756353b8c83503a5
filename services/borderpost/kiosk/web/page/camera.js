// The machine's camera, if there is one.

const JPEG_QUALITY = 0.9;
let stream = null;

export async function open(video, facingMode, width) {
  close();
  if (!navigator.mediaDevices) return false;
  try {
    const wanted = { facingMode, width: { ideal: width } };
    stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    video.srcObject = stream;
    await video.play();
    return true;
  } catch {
    close();
    return false;
  }
}

export function close() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  for (const video of document.querySelectorAll("video")) video.srcObject = null;
}

// What the camera sees now, as a JPEG: not mirrored, no wider than `most` pixels.
export function picture(video, most) {
  const scale = Math.min(1, most / video.videoWidth);
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((done, failed) => {
    canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("no picture"))), "image/jpeg", JPEG_QUALITY);
  });
}
