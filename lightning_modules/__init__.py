"""The library of inkspeak: everything that is a model or that a model is made of.

Import what you need from its own module (``from lightning_modules.geometry.spline import spline_flow``);
the packages re-export nothing, so that looking at a photo does not cost the import of torch.
"""
