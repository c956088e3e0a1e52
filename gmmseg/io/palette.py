"""Colours for classes: clearly distinct, the same for a class number everywhere."""

from __future__ import annotations

import numpy as np

from gmmseg.errors import ParameterError

__all__ = ["palette"]

# The first 7 are those of Okabe and Ito (2008); the next 5 were searched so that any two of the 12, and each and black,
# are 11.6 or more apart (CIEDE2000) in normal vision and as people without green or red cones see them. Each further
# one is the colour of a 29-level RGB grid, CIELAB lightness 28 to 92, farthest from black, white and all before it.
_COLORS = (
    "0072b2e69f00009e73d55e0056b4e9cc79a7f0e4420012c66c3600a2d8a26c2448a2eaea00fc00fc00d8fc005a48a200"
    "997efc00fc9975756cfcab873651007e0087d81287b4fc24fc0012aba248bd00fc99001b003fa224fcd8fc87f3d8c6fc"
    "abf37e00513fea6c750090993f3f637e5199fce1a2b448e1995a51cfabab09d83f87a2fc005af3b475240000fc8787ab"
    "00751bfc5a48ab1b513fbd6399ab0075905a514824ab875a5124abfccf63005163a2367eb4512d75631200f3fce1ea7e"
    "c690e1007ef399b4a275a23ffc6cabcf36b4bd12005a3f3f7e48fc7ef3ab51c6b4fc9948fca2abab5ac6875a75b4c6d8"
    "7e242db4990090cf2424c6e1e1f30090fc5afcb4e15163b4d8e1bd005a24637500ea3675e1ab635a2d90fc8763fc63fc"
    "fc12b448876cab516c487e99fc5100fccfb47e00bdbdb47efcd8eaf312fc7500eaf30936d83648fcc600fc8700cf6cbd"
    "75f30000a2fccff36348633f489951bd7e87abc67500cf9900488763d85a75b4bdcf7e6c3f51485a51cffc63c66c246c"
    "90f3cfb43f48636375c600cf7e5a2d9975ab7e24097e63c66c3624cfc6489099a287cf7599c6488763fcd875fcfc99e1"
    "5acf09a2997e90d8fc99b4f348757500992dc6a2c648367ec6f399003ffcbdcf006c6c36635a90a22d0075b490c6487e"
    "7efc909900ab7587c648752d5175fca2510000fc750099bdd88751870051ab007e997e12cf7e09d8cfc648fc48487e00"
    "fc753f997e87d8a236fc87ab6336632d36cffc0087cfa2878736b487abcf247ed800b42dcf87f3e1cf75755a48a23699"
    "00fcbdfcea00a290f3009987bdf3d89090129951876cbd7ecf3ffcab6c3fe1eaa2f3b4fc365a7eab99d8a27e6cd8bd1b"
    "5a3f007e903ff33f24c63f2dfc9087247e5136e1904863cf999051c6002409d86c7e510090002d7e3f4863b4486c9900"
    "0036b4639990cf6c2d00756ccf4899ab873fb4cffca2b448b4126c7e006c6ceafc7efcf3fc5a7590482d484800fcc690"
    "fc51d85190c6e199b490cfbdd86351fcea6c1be1cfd87587e1e1fc1b5a0099b47ec6f33f9912e175876cab6cb4"
)


def palette(n: int) -> np.ndarray:
    """Return the colours of no data and of n classes.

    Parameters
    ----------
    n : int
        Number of classes, 0 to 255.

    Returns
    -------
    ndarray of uint8, shape (n + 1, 3)
        RGB by label; row 0, no data, is black. Colours do not depend on n.

    Raises
    ------
    ParameterError
        There are no colours for so many classes.

    Examples
    --------
    >>> palette(2).tolist()
    [[0, 0, 0], [0, 114, 178], [230, 159, 0]]
    """
    if not 0 <= n <= 255:
        raise ParameterError(f"n={n} classes have no palette; use 0 to 255")
    colors = np.zeros((n + 1, 3), np.uint8)
    colors[1:] = np.frombuffer(bytes.fromhex(_COLORS[: 6 * n]), np.uint8).reshape(-1, 3)
    return colors
