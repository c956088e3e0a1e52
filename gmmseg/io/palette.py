"""Colours for classes: clearly distinct, the same for a class number everywhere."""

from __future__ import annotations

import numpy as np

from gmmseg.errors import ParameterError

__all__ = ["palette"]

# The first 12 after Okabe and Ito (2008), readable with colour blindness; each further one is the colour of a 29-level
# RGB grid, CIELAB lightness 28 to 92, farthest in CIELAB from black, white and all before it.
_COLORS = (
    "0072b2e69f00009e73d55e0056b4e9cc79a7f0e4427b3fa08c564ba6d854e31a8c9aa0a60000fc00fc00fc00fc5a6300"
    "fc094800fc99005afc00fcfcf3bd87fc7efc005a5a008712900912b4f3bdfc7e75b4a2fc7e00bd8712485a3f63b4fc00"
    "875100fc2400007ef336cf3690a26c00511bfccffcb400a2b4a23600abb448482da275fceaea90eaabab123f9099eafc"
    "cf2d5a5ac66ca200fc51fcc6877eab362dab6c9000fc995afca2f3cf51fcab3687cf2d1bd8d8b4fc6ca20024d8fc00bd"
    "63636cab907590c6b412486cbd5a36367e99bdcff348873f48a2fc51876c90fc7ebd5a6cfcc663bd75d8756cbdb48748"
    "752d127ecf09f36cc6a2758748cfb45a3f0999bd63e1f300fc0975bd7509abb4098751fc7efc3f904875c67e63fc90a2"
    "75009000cff300fc5a7e753f515acffc6c4899abea872d36b4f39075bd876c246cab48cf5ab42d5a3f3fd809cfd84848"
    "fc9024fcc600d8c6c612630075b4c6245136c699cfc6b46c876c00b40963fcabcf995aa2c6f348485a24fc5a00515a90"
    "7efca2757e6cd8e16399f3e17e9036c651bd00cf6300d890a236005a3f878787fc990036639090009948fcab90c6abc6"
    "cfab12bdcf90c6eae1097548fccfb46c2d48b400e1c65187fc637e7599bdf351cf6c00d8006cc636484887127e3f3699"
    "a2ab90995a362da2905aa23ffce1a2cf993651d8d800d800fc242dfc5afc7548cf87b40975e1a2756348ab5148fce16c"
    "6c87cf2d36cfc6002da2b43ffcea00fc87c6c663ab636cfc63fce151f36cbd7575a2fc5a905163007e7ec67536bd0087"
    "7e7e00516c9000a2c600ab36907e7e6c3f24ab12bdcfbdfc87632d637e48fcab48fc3f63b4cf00cf75fc7e99fc2d5100"
    "2d5a6cabc6cf3f7e00ea8763fc512d9063cffcc6d8fc48487eab87512dfc996c99004887cfc663c6b487bd999987cf63"
    "a2d8900090c6e199637e125af3e1fce13f7eab7ec63fbd7e48480099873651751b87cff3631bab486c636c3636d84899"
    "ea90fca2cfa2cf5124cf90ab483f5175487eab2d360048cfb45a00a20900cfeafc4848fc006c5af3b4f3e17e2d"
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
    colors[1:] = np.frombuffer(bytes.fromhex(_COLORS), np.uint8).reshape(-1, 3)[:n]
    return colors
