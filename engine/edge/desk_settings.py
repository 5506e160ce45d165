"""How the desk is run: whose declarations, which database, where its audit is sealed."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class DeskSettings(BaseModel):
    """Cases: what people do about alerts. Relative paths start at the settings file.

    Attributes:
        folder: Declarations of the desk: the folder of `desk.yaml`.
        url: Its database, as SQLAlchemy writes it (`postgresql://...`, `sqlite:///cases.db`); None:
            `desk.db` of the data folder. Or `url_file`.
        audit_key_file: Key that seals the audit; None: `desk-audit.key` of the data folder. The
            first start makes it; keep a copy where no administrator of the database reads it.
        head_file: Where the newest seals are written; None: `desk-audit.head` of the data folder.
        lease_s: After so long without a word from the desk that runs, another one may.
        keep_days: How long transitions, receipts and papers that arrived are kept; cases,
            moves, verdicts and the audit are kept for ever.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: str = "desk"
    url: SecretStr | None = None
    url_file: str | None = None
    audit_key_file: str | None = None
    head_file: str | None = None
    lease_s: float = Field(default=15.0, ge=3, le=3600)
    keep_days: int = Field(default=400, ge=180)
