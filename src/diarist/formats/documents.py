"""Documents: Word."""

from __future__ import annotations

import io

from diarist.formats.text import clock, conversation, printable
from diarist.model.transcript import Transcript, join_segments
from diarist.model.writing import is_right_to_left


def docx(transcript: Transcript, name: str) -> bytes:
    """Write a Word document: a title, then one paragraph per turn of talk under its speaker and time.

    Paragraphs of Arabic, Hebrew and the like run from right to left.
    """
    from docx import Document
    from docx.oxml import OxmlElement
    from docx.shared import Pt, RGBColor

    document = Document()
    document.core_properties.title = printable(name)[:255]  # Word's properties take no more
    document.core_properties.author = ""
    document.core_properties.comments = ""
    document.add_heading(printable(name), level=1)
    for talk in conversation(transcript):
        heading = document.add_paragraph()
        heading.paragraph_format.keep_with_next = True
        heading.paragraph_format.space_after = Pt(0)
        if talk[0].speaker:
            heading.add_run(printable(talk[0].speaker)).bold = True
            heading.add_run("  ")
        time = heading.add_run(clock(talk[0].start))
        time.font.color.rgb = RGBColor(0x70, 0x70, 0x70)
        text = printable(join_segments(talk, transcript.language))
        paragraph = document.add_paragraph()
        run = paragraph.add_run(text)
        if is_right_to_left(text):
            for each in (heading, paragraph):
                # After w:keepNext and before w:spacing, as the schema has it.
                each.paragraph_format.element.get_or_add_pPr().insert_element_before(
                    OxmlElement("w:bidi"), "w:adjustRightInd", "w:snapToGrid", "w:spacing", "w:ind", "w:jc", "w:rPr"
                )
            run.font.rtl = True
    written = io.BytesIO()
    document.save(written)
    return _without_dates(written)


def _without_dates(archive: io.BytesIO) -> bytes:
    """Pack again with the zip format's first date, so that one transcript always gives the same bytes."""
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(packed, "w") as target:
        for entry in source.infolist():
            target.writestr(
                zipfile.ZipInfo(entry.filename, (1980, 1, 1, 0, 0, 0)),
                source.read(entry.filename),
                zipfile.ZIP_DEFLATED,
            )
    return packed.getvalue()
