"""The miniature's sources as templates: three files with WanGP's shape and the lines that hooks hold on to."""

# ruff: noqa: E501, W291 (context lines must be the original ones, to the last space)

from __future__ import annotations

WGP = '''\
"""A stand-in for WanGP's main file: it starts, knows its version and holds the loop over sliding windows."""

import functools
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from models.wan.any2video import WanAny2V

WanGP_version = "{version}"
settings_version = 2.43
greeting = """Bonjour, ça va?
def not_a_function(text):
\tin column 0 of a string"""


def tracked(name):
    def wrap(function):
        @functools.wraps(function)
        def call(*args, **kwargs):
            return function(*args, **kwargs)

        return call

    return wrap


def get_function_arguments(func, locals):
    names = func.__code__.co_varnames[: func.__code__.co_argcount]
    return {{name: locals[name] for name in names}}


def call_with_default_device(model_def, label, function, *args, **kwargs):
    return function(*args, **kwargs)


def truncate(frames, head, tail):
    if head > 0:
        frames = frames[head:]
    elif tail > 0:
        frames = frames[:-tail]
    return frames


{decorators}def {function}(
    task,
    send_cmd,
    prompt,
    seed,
    video_length,
    sliding_window_size,
    sliding_window_overlap,
    temporal_upsampling,
    spatial_upsampling,
    film_grain_intensity,{more_parameters}
    plugin_data=None,{parameters_after}
):
    wan_model = WanAny2V()
    prompts = prompt.split("\\n")
    window_no = 0
    guide_start_frame = 0
    pre_video_guide = prefix_video = None
    reuse_frames = sliding_window_overlap
    sliding_window = video_length > sliding_window_size
    frames_already_processed = None
    abort = False
    while not abort:
        window_no += 1
        prompt = prompts[min(window_no, len(prompts)) - 1]
        try:
            {before_generate}
            try:
                samples = {call}
                    input_prompt = prompt,
                    input_video = pre_video_guide,
                    frame_num = sliding_window_size,
                    window_no = window_no,
                    seed = seed,
                )
            except Exception as error:
                send_cmd("error", str(error))
                return False
            if samples is not None:
                sample = samples["x"]{to_cpu}
                pre_video_guide = {tail}
                if window_no == 1 and frames_already_processed is not None:
                    guide_start_frame -= 1
                elif sliding_window and window_no > 1 and reuse_frames > 0:
                    # remove sliding window overlapped frames at the beginning of the generation
                    sample = sample[: , reuse_frames:]
                    guide_start_frame -= reuse_frames 
                frames_already_processed = sample
                send_cmd("output", sample)
            abort = window_no * sliding_window_size >= video_length
        finally:
            wan_model.release()
    return get_function_arguments({function}, locals())


def main():
    print(f"WanGP v{{WanGP_version}} started")
    return 0

if __name__ == "__main__":
    sys.exit(main())
'''

ANY2VIDEO = '''\
"""A stand-in for WanGP's Wan pipeline: where frames are encoded, masked and sampled."""

import functools

from models.wan.modules.model import WanModel

torch = None


def timed(function):
    @functools.wraps(function)
    def call(*args, **kwargs):
        return function(*args, **kwargs)

    return call


class WanAny2V:
    device = "cpu"

    def __init__(self):
        self.model = WanModel()

    def release(self):
        self.model = None

{decorators}    def generate(self,
        input_prompt,
        input_video = None,
        frame_num = 81,
        window_no = 1,
        seed = 0,
        image_mode = 0,
        callback = None,
        **bbargs
    ):
        timesteps = list(range(10))
        sample_scheduler = None
        original_timesteps = timesteps

        seed_g = torch.Generator(device=self.device)
        seed_g.manual_seed(seed)
        image_outputs = image_mode == 1
        kwargs = {{'pipeline': self, 'callback': callback}}
        color_reference_frame = None
        image_start = image_end = None
        preframes_count = 0 if input_video is None else input_video.shape[1]
        svi_pro = bbargs.get("pro", False)
        any_end_frame = add_frames_for_end_image = False
        VAE_tile_size = 0
        enc = input_video
        clip_image_start, clip_image_end = image_start, image_end
        msk = torch.ones(1, frame_num)
{encode}            y = torch.concat([msk, lat_y])
            overlapped_latents_frames_num = int(1 + (preframes_count-1) // 4)
            # if overlapped_latents != None:
            if overlapped_latents_frames_num > 0:
                kwargs["known"] = overlapped_latents_frames_num
        else:
            y = None
        batch_size, target_shape, alpha_class, alpha2, video_prompt_type = 1, (16, 5, 8, 12), False, False, ""
        # b, c, lat_f, lat_h, lat_w
        latents = torch.randn(batch_size, *target_shape, dtype=torch.float32, device=self.device, generator=seed_g)
{after_noise}        for i, t in enumerate(timesteps):
            self.model.step(i, t, y, original_timesteps)
        return {{"x": self.model.frames, "outputs": image_outputs, "reference": color_reference_frame}}
'''

NOISE_OLD = """\
        if "G" in video_prompt_type: randn = latents
"""

NOISE_NEW = """\
        if alpha_class and alpha2:
            latents = latents * 0.97
        if "G" in video_prompt_type: randn = latents
"""

ENCODE_OLD = """\
        if enc is not None:
            msk = msk.view(1, msk.shape[1] // 4, 4, lat_h, lat_w)
            msk = msk.transpose(1, 2)[0]

            lat_y = self.vae.encode([enc], VAE_tile_size, any_end_frame= any_end_frame and add_frames_for_end_image)[0]
"""

ENCODE_NEW = """\
        if enc is not None:
            if svi_pro:
                lat_y = self.reference_latents()
                padded_frames = None

            if not svi_pro:
                lat_y = self.vae.encode([enc], VAE_tile_size, any_end_frame= any_end_frame and add_frames_for_end_image)[0]


"""

MODEL = '''\
"""A stand-in for WanGP's transformer: how it reads the keys of a LoRA file."""


class WanModel:
    frames = None

    def step(self, number, time, y, original_timesteps):
        return number, time, y, original_timesteps

    def preprocess_loras(self, base_model_type, sd):

        first = next(iter(sd), None)
        if first == None:
            return sd
        if first.startswith("lora_unet_"):
            sd = {key.removeprefix("lora_unet_"): value for key, value in sd.items()}
        return {key: value for key, value in sd.items() if "k_img" not in key}
'''
