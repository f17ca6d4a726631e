"""What dispersive tissue and the contacts' interface do: impedances, voltages over a pulse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rheobase.dbs_views import draw_course, draw_spectrum
from rheobase.report import Section, Table
from rheobase.stations.book import write_rows
from rheobase.stations.dbs_solve import BAND_TOP
from rheobase.views import new_figure

if TYPE_CHECKING:
    from rheobase.stations.book import Book
    from rheobase.stations.dbs_solve import Active
    from rheobase.tables.dbs import DeepStudy

FREQUENCIES = 61
AFTER = 3.0  # widths of the pulse that are drawn


def spectrum_station(study: DeepStudy, actives: Sequence[Active], book: Book) -> None:
    """Tabulate and draw the impedance of every driven contact, and its voltage over a pulse."""
    f = np.geomspace(study.pulse.rate_Hz, BAND_TOP, FREQUENCIES)
    pulse, width = study.pulse.make(), study.pulse.width_us * 1e-6
    times = np.linspace(-0.2, AFTER, 321) * width
    impedance, voltage, rows, lines = {}, {}, [], []
    for a in actives:
        if a.spectral is None:
            continue
        setting = a.table.setting()
        control = a.spectral.control(setting.currents, case=setting.case)
        Z, U = a.spectral.impedance(f), a.spectral.voltages(pulse, control, times)
        lines.append((a.lead.name, a.spectral.compliance(pulse, control)))
        for k, name in enumerate(a.spectral.contacts):
            if name not in setting.currents:
                continue
            title = f"{a.lead.name}, contact {name}"
            impedance[title], voltage[title] = Z[:, k, k], U[k]
            rows += [
                {"lead": a.lead.name, "contact": name, "frequency_Hz": x}
                | {"resistance_ohm": z.real, "reactance_ohm": z.imag}
                for x, z in zip(f.tolist(), Z[:, k, k].tolist(), strict=True)
            ]
    write_rows(book, "impedance", rows, title="Impedance of contacts by frequency")
    figure = new_figure(13.5, 4.2)
    size, phase, course = figure.subplots(1, 3)
    draw_spectrum((size, phase), f, impedance)
    draw_course(course, times, voltage, ylabel="voltage against the case (V)")
    table = Table(columns=("lead", "voltage the stimulator must give (V)"), rows=lines)
    book.tables["Compliance"] = table
    tissue = study.tissue
    book.sections.append(
        Section(
            title="Spectrum",
            paragraphs=[
                f"Tissue: {tissue.dispersion or 'constant'}; contacts: "
                f"{tissue.interface or 'metal touches tissue'}. Fields, volumes and pathways are "
                "those of the potential at the end of the first phase of a pulse. Tissues without "
                "Cole-Cole parameters keep their constant conductivity.",
            ],
            figures=[
                book.picture(
                    "spectrum",
                    figure,
                    "Impedance of the driven contacts against the case, the others floating; their "
                    "voltage over a pulse.",
                )
            ],
            tables=[table],
        )
    )
