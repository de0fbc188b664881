"""The networks of stage 1: shapes, independence of batching and chunking, and their published peculiarities."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional

from lightning_modules.networks.autovc import AutoVC
from lightning_modules.networks.content_branch import ContentBranch
from lightning_modules.networks.convolutional_branch import ConvolutionalBranch
from lightning_modules.networks.image_translation import ImageTranslation
from lightning_modules.networks.landmark_attention import LandmarkAttention, UnbiasedNormalization, position_table
from lightning_modules.networks.landmark_discriminators import FrameDiscriminator, MotionDiscriminator
from lightning_modules.networks.speaker_branch import SpeakerBranch
from lightning_modules.networks.speech_windows import (
    follow_one_another,
    joined_windows,
    published_windows,
    window_chunks,
    window_view,
)


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def small_content():
    return ContentBranch(features=5, prior_width=6, prior_features=7, hidden=8, layers=2, head_width=12)


def small_speaker(**sizes):
    return SpeakerBranch(
        features=5, hidden=8, layers=2, embedding=6, code=3, noise=2, width=8, feed_forward=16, head_width=12, **sizes
    )


def settled(network):
    """In evaluation mode, with batch statistics that are not the trivial ones."""
    generator = torch.Generator().manual_seed(3)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
    return network.eval()


def test_the_sizes_are_the_published_ones():
    with torch.device("meta"):
        found = [
            parameters(build())
            for build in (
                AutoVC,
                ContentBranch,
                SpeakerBranch,
                ImageTranslation,
                FrameDiscriminator,
                MotionDiscriminator,
            )
        ]
    assert found == [14_320_960, 1_965_677, 2_391_820, 69_860_736, 236_545, 748_609]


# Windows


def test_window_i_begins_at_frame_i_and_takes_no_memory():
    features = torch.arange(40.0).reshape(20, 2)
    windows = window_view(features)
    assert windows.shape == (3, 18, 2)
    assert torch.equal(windows[2], features[2:20])
    assert windows.data_ptr() == features.data_ptr()
    parts = list(window_chunks(features, torch.tensor([2, 0, 1]), chunk=2))
    assert [len(part) for part in parts] == [2, 1]
    assert torch.equal(parts[1][0], features[1:19])


@pytest.mark.parametrize("frames", [[0, 3], [-1]])
def test_windows_that_leave_the_clip_are_refused(frames):
    with pytest.raises(ValueError, match="from 0 to 2"):
        list(window_chunks(torch.zeros(20, 2), torch.tensor(frames)))
    with pytest.raises(ValueError, match="at least 18 frames"):
        window_view(torch.zeros(17, 2))


# The content branch


def test_the_content_branch_on_clips_is_the_content_branch_on_windows():
    branch = settled(small_content())
    windows, static = torch.randn(2, 4, 18, 5), torch.randn(2, 204)
    made = branch(windows, static)
    assert made.shape == (2, 4, 204)
    for clip in range(2):
        torch.testing.assert_close(made[clip], branch(windows[clip], static[clip : clip + 1]))
    torch.testing.assert_close(made, branch(windows, static[:, None].expand(-1, 4, -1)))


def test_the_content_branch_follows_its_definition():
    """Step by step with torch's cells: prior on each frame, LSTM, last output beside the static face."""
    branch = settled(small_content())
    windows, static = torch.randn(3, 18, 5), torch.randn(3, 204)
    prior = branch.prior
    expected = []
    for window, face in zip(windows, static, strict=True):
        x = functional.leaky_relu(prior[1](prior[0](window)), 0.2)
        sequence = list(prior[3](x))
        for layer in range(2):
            cell = torch.nn.LSTMCell(7 if layer == 0 else 8, 8)
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                setattr(cell, name, getattr(branch.recurrence, f"{name}_l{layer}"))
            state = None
            outputs = []
            for step in sequence:
                state = cell(step, state)
                outputs.append(state[0])
            sequence = outputs
        expected.append(branch.head(torch.cat((sequence[-1], face))[None])[0])
    torch.testing.assert_close(branch(windows, static), torch.stack(expected), atol=1e-5, rtol=1e-4)


def test_chosen_frames_of_a_clip_get_what_their_windows_get():
    branch = settled(small_content())
    features, static = torch.randn(60, 5), torch.randn(204)
    frames = torch.tensor([40, 0, 7, 8, 42])
    expected = branch(window_view(features)[frames], static[None])
    for chunk in (1, 2, 512):
        made = branch.displacements(features, static, frames, chunk=chunk)
        torch.testing.assert_close(made, expected, atol=1e-6, rtol=1e-5)
        assert not made.requires_grad
    assert branch.displacements(features, static, frames[:0]).shape == (0, 204)
    with pytest.raises(ValueError, match="eval"):
        branch.train().displacements(features, static, frames)


def test_the_prior_sees_every_frame_once():
    branch = settled(small_content())
    seen = []
    branch.prior.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
    branch.displacements(torch.randn(200, 5), torch.zeros(204), torch.arange(100), chunk=2)
    assert sum(seen) == 200
    assert max(seen) <= 64


@pytest.mark.parametrize(
    ("windows", "static"), [((4, 18, 6), (1, 204)), ((18, 5), (1, 204)), ((4, 18, 5), (3, 204)), ((0, 18, 5), (1, 204))]
)
def test_shapes_that_do_not_fit_are_refused(windows, static):
    with pytest.raises(ValueError, match="windows"):
        small_content()(torch.zeros(windows), torch.zeros(static))


# The convolutional branch


def small_convolutions():
    return ConvolutionalBranch(features=5, width=8, steps=(1, 2, 3), coefficients=6, face_width=12)


def test_convolutions_share_the_frames_of_windows_that_follow_one_another():
    branch = settled(small_convolutions())
    assert (branch.past, branch.future, branch.window) == (7, 7, 15)
    clips, static = torch.randn(2, 30, 5), torch.randn(2, 204)
    windows = window_view(clips, 15)
    assert follow_one_another(windows)
    assert torch.equal(joined_windows(windows), clips)
    heard = []
    branch.entry.register_forward_hook(lambda _, given, __: heard.append(given[0].shape))
    made = branch(windows, static)
    assert heard == [(2, 5, 30)], "every frame once"
    mixed = torch.randperm(16)
    assert not follow_one_another(windows[:, mixed])
    torch.testing.assert_close(branch(windows[:, mixed], static), made[:, mixed], atol=1e-6, rtol=1e-5)
    assert heard[1] == (32, 5, 15)
    for clip in range(2):
        torch.testing.assert_close(branch(windows[clip], static[clip : clip + 1]), made[clip], atol=1e-6, rtol=1e-5)
    for end, change in ((15, slice(15, None)), (30, slice(0, 15))):
        changed = clips.clone()
        changed[:, change] += 1
        seen = slice(end - 15, end - 14)
        assert torch.equal(branch(window_view(changed, 15), static)[:, seen], made[:, seen]), "a window is all it sees"
    for frame in (0, 14):
        changed = clips.clone()
        changed[:, frame] += 10
        assert (branch(window_view(changed, 15), static)[:, 0] - made[:, 0]).abs().max() > 1e-6, "all of it"


def test_what_is_said_weighs_the_fields_of_the_face():
    branch = settled(small_convolutions())
    windows, faces = torch.randn(3, 15, 5), torch.randn(2, 204)
    fields = branch.fields((faces - branch.usual_face) / 0.1).unflatten(1, (6, 204))
    for face in range(2):
        made = branch(windows, faces[face : face + 1])
        found = torch.linalg.lstsq(fields[face].T, made.T).solution
        torch.testing.assert_close((fields[face].T @ found).T, made, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(branch(windows, faces[face].expand(3, 204)), made, atol=1e-5, rtol=1e-4)
    mixed = branch(windows, faces[[0, 1, 0]])
    torch.testing.assert_close(mixed[1], branch(windows, faces[1:])[1], atol=1e-5, rtol=1e-4)


def test_the_default_size_of_the_convolutions():
    branch = ConvolutionalBranch()
    assert parameters(branch) == 1_521_248
    assert (branch.past, branch.window) == (31, 63)


def test_convolutions_on_chosen_frames_of_a_clip():
    branch = settled(small_convolutions())
    features, static = torch.randn(60, 5), torch.randn(204)
    frames = torch.tensor([40, 0, 7, 8, 45, 7])
    expected = branch(window_view(features, 15)[frames], static[None])
    for chunk in (1, 3, 512):
        made = branch.displacements(features, static, frames, chunk=chunk)
        torch.testing.assert_close(made, expected, atol=1e-6, rtol=1e-5)
    assert branch.displacements(features, static, frames[:0]).shape == (0, 204)
    for wrong in ([46], [-1]):
        with pytest.raises(ValueError, match="from 0 to 45"):
            branch.displacements(features, static, torch.tensor(wrong))
    with pytest.raises(ValueError, match="eval"):
        branch.train().displacements(features, static, frames)
    with pytest.raises(ValueError, match="15 frames"):
        branch(torch.zeros(2, 17, 5), static[None])
    with pytest.raises(ValueError, match="static faces"):
        branch(torch.zeros(4, 15, 5), torch.zeros(3, 204))


def test_the_published_part_of_longer_windows():
    windows = window_view(torch.arange(60.0)[:, None], 30)
    assert published_windows(windows, 5)[:, :, 0].tolist() == [list(range(k + 5, k + 23)) for k in range(31)]
    with pytest.raises(ValueError, match="30 frames"):
        published_windows(windows, 13)


# Attention


def test_the_table_of_positions_is_the_published_one():
    table = position_table(512, 64)
    for place, channel in ((0, 0), (7, 4), (511, 62), (100, 20)):
        assert table[place, channel].item() == pytest.approx(math.sin(place / 10000 ** (2 * channel / 64)), abs=1e-6)
        assert table[place, channel + 1].item() == pytest.approx(
            math.cos(place / 10000 ** (2 * (channel + 1) / 64)), abs=1e-6
        )


def test_the_normalisation_is_unbiased():
    norm = UnbiasedNormalization(4)
    norm.alpha.data = torch.tensor([1.0, 2.0, 3.0, 4.0])
    norm.bias.data = torch.tensor([0.0, 0.0, 0.0, 1.0])
    found = norm(torch.tensor([1.0, 2.0, 3.0, 6.0]))
    deviation = math.sqrt((4 + 1 + 0 + 9) / 3)
    expected = [-2 / deviation, -2 / deviation, 0.0, 12 / deviation + 1]
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-5)


def test_attention_without_positions_would_not_know_the_order():
    attention = LandmarkAttention(5, width=8, feed_forward=16).eval()
    x, order = torch.randn(6, 5), torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(attention(x)[order], attention(x[order], order), atol=1e-6, rtol=1e-5)
    assert (attention(x)[order] - attention(x[order])).abs().max() > 1e-3
    with pytest.raises(ValueError, match="at most 4"):
        LandmarkAttention(5, width=8, feed_forward=16, longest=4)(x)


# The speaker-aware branch


def test_segments_of_a_batch_do_not_see_each_other():
    branch = settled(small_speaker())
    windows, embedding = torch.randn(2, 4, 18, 5), torch.randn(2, 6)
    made = branch(windows, embedding)
    assert made.shape == (2, 4, 204)
    for clip in range(2):
        torch.testing.assert_close(made[clip], branch(windows[clip], embedding[clip : clip + 1]))
    torch.testing.assert_close(made, branch(windows, embedding[:, None].expand(-1, 4, -1)))
    torch.testing.assert_close(made, branch(windows, embedding, torch.zeros(2, 4, 2)))
    assert (made - branch(windows, embedding, torch.ones(2, 4, 2))).abs().max() > 1e-3
    assert (made - branch(windows, -embedding)).abs().max() > 1e-3


def test_windows_of_a_segment_see_each_other():
    branch = settled(small_speaker())
    windows, embedding = torch.randn(4, 18, 5), torch.randn(1, 6)
    changed = windows.clone()
    changed[3] += 1
    assert (branch(windows, embedding)[0] - branch(changed, embedding)[0]).abs().max() > 1e-5


def test_a_segment_of_a_clip_gets_what_its_windows_get():
    branch = settled(small_speaker())
    features, embedding = torch.randn(60, 5), torch.randn(6)
    frames = torch.arange(10, 40)
    expected = branch(window_view(features)[frames], embedding[None])
    for chunk in (7, 512):
        made = branch.displacements(features, embedding, frames, chunk=chunk)
        torch.testing.assert_close(made, expected, atol=1e-6, rtol=1e-5)
    assert branch.displacements(features, embedding, frames[:0]).shape == (0, 204)
    branch.longest = 29
    with pytest.raises(ValueError, match="cut it"):
        branch.displacements(features, embedding, frames)


def test_embeddings_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="embeddings"):
        small_speaker()(torch.zeros(4, 18, 5), torch.zeros(3, 6))


# Discriminators


def test_the_discriminator_of_motion_slides_its_window():
    torch.manual_seed(0)
    judge = MotionDiscriminator(code=3, window=8, hop=2, width=8, feed_forward=16).eval()
    landmarks, code = torch.randn(2, 13, 204), torch.randn(2, 3)
    logits = judge(landmarks, code)
    assert logits.shape == (2, 3)
    torch.testing.assert_close(logits[:, 1:2], judge(landmarks[:, 2:10], code), atol=1e-6, rtol=1e-5)
    assert judge(landmarks[:, :5], code).shape == (2, 1), "a short segment is one window"
    torch.testing.assert_close(logits, judge(landmarks, code[:, None].expand(-1, 13, -1)))
    with pytest.raises(ValueError, match=r"landmarks \(B, N, 204\)"):
        judge(landmarks[0], code)


def test_the_discriminator_of_frames_judges_each_by_itself():
    judge = FrameDiscriminator()
    landmarks = torch.randn(2, 5, 204)
    assert judge(landmarks).shape == (2, 5)
    torch.testing.assert_close(judge(landmarks)[1, 3], judge(landmarks[1, 3]))


# AutoVC and the image translation


def test_codes_are_taken_every_period_and_change_only_by_what_they_may_see():
    voice = AutoVC(bands=16, embedding=4, pitch_classes=5, width=32, neck=3, decoder_width=6, period=4).eval()
    mel, speaker = torch.randn(2, 12, 16), torch.randn(2, 4)
    pitch = functional.one_hot(torch.randint(0, 5, (2, 12)), 5).float()
    made = voice(mel, speaker, speaker, pitch)
    assert made.mel.shape == made.mel_post.shape == (2, 12, 16)
    assert made.codes.shape == (2, 18)
    torch.testing.assert_close(voice.encode(mel, speaker).flatten(1), made.codes)
    other = voice(mel, speaker, -speaker, pitch)
    assert torch.equal(other.codes, made.codes), "the target speaker is not in the codes"
    assert (other.mel_post - made.mel_post).abs().max() > 1e-4
    late = pitch.clone()
    late[:, 8:] = pitch[:, 8:].roll(1, -1)
    assert torch.equal(voice(mel, speaker, speaker, late).mel[:, :8], made.mel[:, :8]), "the decoder looks back only"
    with pytest.raises(ValueError, match="multiple of 4"):
        voice(mel[:, :10], speaker, speaker, pitch[:, :10])
    with pytest.raises(ValueError, match="pitch"):
        voice(mel, speaker, speaker, pitch[:, :8])


def test_the_image_translation_keeps_the_size():
    network = ImageTranslation(width=2, levels=3).eval()
    assert network(torch.rand(1, 6, 16, 24)).shape == (1, 3, 16, 24)
    with pytest.raises(ValueError, match="multiples of 8"):
        network(torch.rand(1, 6, 20, 24))


@pytest.mark.parametrize(
    ("build", "shapes"),
    [
        (small_content, [(4, 18, 5), (1, 204)]),
        (small_convolutions, [(4, 15, 5), (1, 204)]),
        (small_speaker, [(4, 18, 5), (1, 6), (4, 2)]),
        (partial(ImageTranslation, width=8, levels=2), [(2, 6, 16, 16)]),
        (partial(MotionDiscriminator, code=3, window=8, width=8, feed_forward=16), [(2, 9, 204), (2, 3)]),
    ],
)
def test_every_weight_takes_part(build, shapes):
    torch.manual_seed(1)
    network, inputs = build(), [torch.randn(shape) for shape in shapes]
    network.train()
    network(*inputs).square().sum().backward()
    silent = [  # a bias before a normalisation or in a key has no effect: only that it is asked for counts
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or ("bias" not in name and not parameter.grad.any())
    ]
    assert not silent
