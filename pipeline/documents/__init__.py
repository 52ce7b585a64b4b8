"""What there is to learn: documents read from a source, parsed, cleaned, screened, and cut to a model's context."""

from pipeline.documents.chunking import chunks
from pipeline.documents.cleaning import clean_line, clean_text
from pipeline.documents.fields import LONGEST_QUESTION
from pipeline.documents.front_matter import markdown
from pipeline.documents.ingestion import ingest, ingest_in_batches
from pipeline.documents.screening import repeats, words
from pipeline.documents.sentences import sentences
from pipeline.documents.sources.folder import count as count_files
from pipeline.documents.sources.folder import read as read_folder
from pipeline.documents.workflow import asked

__all__ = [
    "LONGEST_QUESTION",
    "asked",
    "chunks",
    "clean_line",
    "clean_text",
    "count_files",
    "ingest",
    "ingest_in_batches",
    "markdown",
    "read_folder",
    "repeats",
    "sentences",
    "words",
]
