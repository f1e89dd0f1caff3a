-- Who may use the page from elsewhere, and what was done there. Passwords and tokens are kept as hashes alone.

CREATE TABLE page_user (
    name          TEXT    PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 64),
    scope         TEXT    NOT NULL CHECK (scope IN ('read', 'adjust', 'admin')),
    password_hash TEXT    NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
    created_at    INTEGER NOT NULL,
    password_at   INTEGER NOT NULL                                   -- sessions that are older have ended
) STRICT, WITHOUT ROWID;

CREATE TABLE page_token (
    prefix     TEXT    PRIMARY KEY CHECK (length(prefix) = 8),
    name       TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    hash       BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),    -- SHA-256 of the whole token
    scope      TEXT    NOT NULL CHECK (scope IN ('read', 'adjust', 'admin')),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER,
    used_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX page_token_by_name ON page_token (name) WHERE revoked_at IS NULL;

-- Who did what, from where and with which result. Rows are never edited; old ones are removed.
CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    who     TEXT    NOT NULL,
    origin  TEXT    NOT NULL,
    action  TEXT    NOT NULL CHECK (length(action) > 0),
    subject TEXT    NOT NULL,
    result  TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit (at);
CREATE TRIGGER audit_is_never_edited BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'a record of the audit log is never edited');
END;
