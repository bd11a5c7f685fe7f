"""Policy gradients on the rewards of a verifier. All but ``objective`` need the extra ``train``."""
