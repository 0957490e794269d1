"""The ids of BSI TR-03105 part 5.1, version 1.5; their titles and texts are their owner's."""

SUITE = "TR-03105-5.1 v1.5"

_GROUPS = {
    "ISO7816_A": 3,
    "ISO7816_B": 10,
    "ISO7816_C": 8,
    "ISO7816_D": 15,
    "ISO7816_E": 38,
    "ISO7816_F": 9,
    "ISO7816_G": 41,
    "LDS_A": 10,
    "LDS_B": 28,
    "LDS_C": 28,
    "LDS_D": 16,
    "LDS_E": 14,
    "LDS_F": 7,
    "LDS_G": 2,
    "LDS_H": 98,
    "LDS_I": 3,
    "LDS_J": 4,
    "LDS_K": 4,
}

IDS = tuple(
    f"{group}_{number:02}" for group, count in _GROUPS.items() for number in range(1, count + 1)
)
