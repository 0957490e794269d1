"""Why some ids of the inspection systems' catalogue have no vector; none of them is beside the point of a verifier."""

NOT_APPLICABLE: dict[str, str] = {}

_FINITE_FIELD = "finite-field Diffie-Hellman is not spoken (SPEC.md, 5.6); such a chip is refused, and the case asks for more"
_RSA_TERMINAL = "terminals prove themselves with elliptic keys only (SPEC.md, 10); neither side has RSA keys in CV certificates"
_SHORT_TERMINAL = (
    "CV certificates with SHA-224 are not read (SPEC.md, 10), so no terminal can hold one"
)
_TD3 = "a zone of size TD1 has no check digit of its own for optional data; zones of size TD3 are not read"

OPEN: dict[str, str] = {
    "ISO7816_A_01": "a chip that opens without any protocol is not read: no policy can allow it (access.pace-required)",
    "ISO7816_C_03": "our reading ends where the file's own length says, so nothing is ever read beyond; no vector shows it",
    "ISO7816_C_04": "our reading ends where the file's own length says, so the status word never comes; no vector shows it",
    "ISO7816_C_08": "the title does not tell which of the sizes in DG2 is zero, nor the verdict",
    "ISO7816_D_01": _FINITE_FIELD,
    "ISO7816_D_07": _FINITE_FIELD,
    "ISO7816_D_10": "the title does not tell what a terminal has to show; unit tests show that its keys are fresh",
    "ISO7816_D_11": _FINITE_FIELD,
    "ISO7816_E_02": _RSA_TERMINAL,
    "ISO7816_E_04": _RSA_TERMINAL,
    "ISO7816_E_06": _SHORT_TERMINAL,
    "ISO7816_E_27": _RSA_TERMINAL,
    "ISO7816_E_28": "keys of 224 bits are not spoken (SPEC.md, 5.6)",
    "ISO7816_E_35": _RSA_TERMINAL,
    "ISO7816_E_36": _RSA_TERMINAL,
    "ISO7816_F_03": "no standard describes active authentication with RSASSA-PSS; the case was taken out of the catalogue",
    "ISO7816_G_17": _FINITE_FIELD,
    "ISO7816_G_22": _FINITE_FIELD,
    "LDS_B_04": _TD3,
    "LDS_B_22": _TD3,
    "LDS_C_12": "the title does not tell which biometric type is meant, nor the verdict",
    "LDS_E_01": "the case was taken out of the catalogue",
    "LDS_H_15": "the signer's certificate has to stand in EF.SOD (Doc 9303-10, 4.6.2.2; SPEC.md, 7.1); a directory of signers is not kept",
    "LDS_H_16": "the case was taken out of the catalogue; and as LDS_H_15",
    "LDS_H_93": "EF.SOD has no place for a hash of EF.CardSecurity (Doc 9303-10, 4.6.2.3), and the title does not tell which is meant",
}
