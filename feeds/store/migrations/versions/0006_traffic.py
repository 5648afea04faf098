"""What was served, by day, and who subscribes."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "traffic",
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("topic", sa.String(64), primary_key=True),
        sa.Column("format", sa.String(16), primary_key=True),
        sa.Column("status", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("answers", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "readers",
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("topic", sa.String(64), primary_key=True),
        sa.Column("client", sa.String(24), primary_key=True),
        sa.Column("people", sa.BigInteger, nullable=False),
    )
