"""Geometry: 68-point groups, rasters, part masks, warps, flow maps, alignment and paste-back, smoothing."""
