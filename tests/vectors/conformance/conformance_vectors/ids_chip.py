"""The ids of BSI TR-03105 part 3.2, version 1.5.1; their titles and texts are their owner's."""

SUITE = "TR-03105-3.2 v1.5.1"

_GROUPS = {
    "ISO7816_H": 16,
    "ISO7816_J": 56,
    "ISO7816_K": 20,
    "ISO7816_L": 16,
    "ISO7816_M": 6,
    "ISO7816_N": 1,
    "LDS_E": 5,
    "LDS_F": 1,
    "LDS_G": 11,
    "LDS_H": 11,
    "LDS_L": 5,
}

IDS = (
    *(f"{group}_{number}" for group, count in _GROUPS.items() for number in range(1, count + 1)),
    "LDS_G_05",
)
