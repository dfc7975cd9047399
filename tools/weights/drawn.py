"""Drawn fluorescence cells: touching and apart, of a stained body, membrane or spots, or dark on bright ground."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

Rng = np.random.RandomState
PITCH = {"packed": (0.85, 1.0), "mixed": (1.0, 1.35), "sparse": (1.5, 2.6)}
"""Distance of the cells' centres in diameters, from and to."""
REACH = {"packed": 9.0, "mixed": 1.9, "sparse": 1.0}
"""Squared distance from its centre, in radii, up to which a cell grows where no other one is."""


@dataclass
class Scene:
    """What is drawn: [Y, X] labels, the cells' image, and that of their nuclei."""

    labels: np.ndarray
    cells: np.ndarray
    nuclei: np.ndarray
    stain: str


def scene(rng: Rng) -> Scene | None:
    """One scene of cells of 18 to 60 pixels; None where there is too little to see."""
    diameter = np.exp(rng.uniform(np.log(18), np.log(60)))
    side = int(np.clip(diameter * 11, 256, 512))
    layout = rng.choice(["packed", "mixed", "sparse"], p=[0.35, 0.4, 0.25])
    stain = rng.choice(["body", "membrane", "spots", "dark"], p=[0.52, 0.24, 0.12, 0.12])
    labels = _labels(rng, (side, side), diameter, layout)
    if labels.max() < 4:
        return None
    cells, nuclei = _render(rng, labels, diameter, stain)
    return Scene(labels, cells, nuclei, stain)


def _noise(rng: Rng, shape: tuple[int, int], sigma: float) -> np.ndarray:
    """Smooth noise of mean 0 and deviation 1."""
    x = ndimage.gaussian_filter(rng.randn(*shape), sigma, mode="wrap")
    return (x - x.mean()) / (x.std() + 1e-9)


def _labels(rng: Rng, shape: tuple[int, int], diameter: float, layout: str) -> np.ndarray:
    height, width = shape
    yy, xx = np.mgrid[:height, :width].astype(np.float32)
    bend = diameter * rng.uniform(0.05, 0.28)  # warped coordinates give irregular outlines
    warped_y = yy + bend * _noise(rng, shape, diameter * rng.uniform(0.2, 0.45))
    warped_x = xx + bend * _noise(rng, shape, diameter * rng.uniform(0.2, 0.45))
    centres = _centres(rng, shape, diameter, diameter * rng.uniform(*PITCH[layout]))
    labels = _grow(rng, (warped_y, warped_x), centres, diameter, REACH[layout])
    if layout == "packed" and rng.rand() < 0.5:  # holes in the sheet
        hole = _noise(rng, shape, diameter * rng.uniform(0.8, 2.0)) > rng.uniform(0.9, 1.8)
        labels[hole] = 0
    return _tidied(labels, diameter)


def _centres(rng: Rng, shape: tuple[int, int], diameter: float, pitch: float) -> np.ndarray:
    """[n, 2]: random points, made more regular by some rounds of Lloyd's relaxation."""
    box = np.array(shape) + 2 * diameter
    count = int(shape[0] * shape[1] / pitch**2 * 1.05) + 3
    centres = rng.rand(count, 2) * box - diameter
    for _ in range(rng.randint(1, 6)):
        points = rng.rand(4000, 2) * box - diameter
        nearest = ((points[:, None] - centres[None]) ** 2).sum(-1).argmin(1)
        for index in np.unique(nearest):
            centres[index] = points[nearest == index].mean(0) * 0.6 + centres[index] * 0.4
    return centres


def _grow(rng: Rng, warped: tuple, centres: np.ndarray, diameter: float, reach: float) -> np.ndarray:
    """Each pixel's nearest centre, as ellipses of their own size, shape and direction measure it."""
    count, shape = len(centres), warped[0].shape
    radius = diameter / 2 * np.exp(rng.randn(count) * rng.uniform(0.05, 0.3))
    angle = rng.rand(count) * np.pi
    stretch = np.exp(rng.randn(count) * rng.uniform(0.05, 0.45))
    best = np.full(shape, np.inf, np.float32)
    labels = np.zeros(shape, np.int32)
    for index, (y, x) in enumerate(centres):
        half = int(radius[index] * 4) + 6
        top, left = max(0, int(y - half)), max(0, int(x - half))
        box = np.s_[top : max(0, int(y + half)), left : max(0, int(x + half))]
        dy, dx = warped[0][box] - y, warped[1][box] - x
        cos, sin = np.cos(angle[index]), np.sin(angle[index])
        u, v = (dy * cos + dx * sin) * stretch[index], (dx * cos - dy * sin) / stretch[index]
        distance = (u * u + v * v) / radius[index] ** 2
        nearer = (distance < best[box]) & (distance < reach)
        best[box][nearer] = distance[nearer]
        labels[box][nearer] = index + 1
    return labels


def _tidied(labels: np.ndarray, diameter: float) -> np.ndarray:
    """The largest piece of each label, a little rounded, without holes."""
    tidy, count = np.zeros_like(labels), 0
    for index, box in enumerate(ndimage.find_objects(labels)):
        if box is None:
            continue
        mask = labels[box] == index + 1
        pieces, found = ndimage.label(mask)
        if found > 1:
            mask = pieces == 1 + np.argmax(ndimage.sum(mask, pieces, range(1, found + 1)))
        mask = ndimage.binary_fill_holes(ndimage.binary_opening(np.pad(mask, 2))[2:-2, 2:-2])
        if mask.sum() < (diameter * 0.3) ** 2:
            continue
        count += 1
        tidy[box][mask & (tidy[box] == 0)] = count
    return tidy


def _render(rng: Rng, labels: np.ndarray, diameter: float, stain: str) -> tuple[np.ndarray, np.ndarray]:
    shape, inside = labels.shape, labels > 0
    border = ndimage.minimum_filter(labels, 3) != ndimage.maximum_filter(labels, 3)
    depth = ndimage.distance_transform_edt(inside & ~border)
    brightness = np.r_[0, np.exp(rng.randn(labels.max()) * rng.uniform(0.1, 0.5))][labels]
    nuclei, nucleus = _nuclei(rng, labels)
    paint = {"body": _body, "membrane": _membrane, "spots": _spots, "dark": _dark}[stain]
    image = paint(rng, diameter, brightness, depth, inside, border, nucleus)
    photons = 10 ** rng.uniform(1.2, 3.5)
    image = _photographed(rng, image, diameter, photons)
    nuclei = ndimage.gaussian_filter(nuclei * (1 + 0.2 * _noise(rng, shape, diameter * 0.06)), rng.uniform(0.5, 1.5))
    nuclei = rng.poisson(np.maximum(nuclei, 0) * photons) / photons + rng.randn(*shape) * 0.02
    return image.astype(np.float32), nuclei.astype(np.float32)


def _nuclei(rng: Rng, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Brightness of the nuclei, one in each cell, and where they are."""
    image, where = np.zeros(labels.shape, np.float32), np.zeros(labels.shape, bool)
    for index, box in enumerate(ndimage.find_objects(labels)):
        if box is None:
            continue
        mask = labels[box] == index + 1
        depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
        deepest = depth.max()
        y, x = np.unravel_index((depth + rng.rand(*depth.shape) * deepest * 0.35).argmax(), depth.shape)
        radius = min(deepest * rng.uniform(0.45, 0.8), depth[y, x] * 0.95)
        yy, xx = np.mgrid[: mask.shape[0], : mask.shape[1]]
        stretch = rng.uniform(0.8, 1.25)
        round_ = (((yy - y) * stretch) ** 2 + ((xx - x) / stretch) ** 2 < radius**2) & mask
        where[box] |= round_
        image[box][round_] = rng.uniform(0.6, 1.4)
    return image, where


def _body(rng, diameter, brightness, depth, inside, border, nucleus):
    shape = depth.shape
    image = brightness * (1 + rng.uniform(0.05, 0.35) * _noise(rng, shape, diameter * rng.uniform(0.03, 0.12)))
    image = image * np.clip(depth / (diameter * rng.uniform(0.04, 0.3)), 0.15, 1) ** rng.uniform(0.4, 1.2)
    kind = rng.rand()
    if kind < 0.4:
        image[nucleus] *= rng.uniform(0.1, 0.6)
    elif kind < 0.6:
        image[nucleus] *= rng.uniform(1.3, 2.2)
    if rng.rand() < 0.35:
        image *= 1 + rng.uniform(0.3, 1) * np.clip(_noise(rng, shape, diameter * 0.05), 0, 3)
    return image


def _membrane(rng, diameter, brightness, depth, inside, border, nucleus):
    width = diameter * rng.uniform(0.03, 0.09)
    image = brightness * np.exp(-depth / width) * inside * (1 + 0.3 * _noise(rng, depth.shape, diameter * 0.15))
    image += inside * brightness * rng.uniform(0, 0.25)
    if rng.rand() < 0.4:
        image[nucleus] *= rng.uniform(0.4, 1.0)
    return image


def _spots(rng, diameter, brightness, depth, inside, border, nucleus):
    sigma = max(0.8, diameter * rng.uniform(0.02, 0.06))
    spots = np.clip(_noise(rng, depth.shape, sigma), 1.0, 9) - 1.0
    image = brightness * (inside * rng.uniform(0.15, 0.5) + spots * inside)
    if rng.rand() < 0.5:
        image[nucleus] *= 0.3
    return image


def _dark(rng, diameter, brightness, depth, inside, border, nucleus):
    outside = ndimage.distance_transform_edt(~inside | border)
    image = 1.2 - inside * (0.25 + 0.25 * brightness / brightness.max())
    image += 0.5 * np.exp(-((depth - 1) ** 2) / (diameter * 0.06) ** 2) * inside
    image -= 0.35 * np.exp(-outside / (diameter * 0.05)) * ~inside
    image += 0.1 * _noise(rng, depth.shape, diameter * 0.1) * inside
    image[nucleus] -= 0.15
    return image


def _photographed(rng: Rng, image: np.ndarray, diameter: float, photons: float) -> np.ndarray:
    """Blur, haze, uneven light, and the noise of photons and camera."""
    shape = image.shape
    image = ndimage.gaussian_filter(image, rng.uniform(0.4, max(0.6, diameter * 0.04)))
    haze = np.abs(_noise(rng, shape, diameter * rng.uniform(1, 4)))
    image += rng.uniform(0, 0.25) * haze * rng.rand() * image.mean() * 2
    image += rng.uniform(0, 0.15) * image.max() * rng.rand()
    image *= 1 + rng.uniform(0, 0.4) * _noise(rng, shape, max(shape) / 3.0) * 0.4
    image = np.maximum(image, 0) / np.percentile(image, 99.5)
    return rng.poisson(image * photons) / photons + rng.randn(*shape) * rng.uniform(0.0, 0.05)
