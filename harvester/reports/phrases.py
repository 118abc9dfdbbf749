"""The sentences of reports and mails in English and Indonesian; a placeholder is the same in both."""

from __future__ import annotations

PHRASES: dict[str, tuple[str, str]] = {
    # verdicts
    "complete": ("complete", "lengkap"),
    "partial": ("partial", "sebagian"),
    "halted": ("halted", "ditahan"),
    "failed": ("failed", "gagal"),
    "broken": ("the catalogue contradicts itself", "katalog bertentangan dengan dirinya"),
    "locked": ("busy elsewhere", "sedang dikerjakan proses lain"),
    # the head of a digest
    "subject": ("[Induk] night {night}: {verdict}, {tasks}", "[Induk] malam {night}: {verdict}, {tasks}"),
    "no_tasks": ("nothing to do", "tidak ada tugas"),
    "waits": ("no task, {waiting} wait", "tidak ada tugas, {waiting} menunggu"),
    "one_task": ("1 task", "1 tugas"),
    "many_tasks": ("{count} tasks", "{count} tugas"),
    "summary": (
        "{good} of {all} sources complete: {received} records received, {created} new, {updated} changed, "
        "{deleted} deleted, {quarantined} in quarantine.",
        "{good} dari {all} sumber lengkap: {received} cantuman diterima, {created} baru, {updated} berubah, "
        "{deleted} dihapus, {quarantined} dikarantina.",
    ),
    "catalogue": (
        "The union holds {records} records in {clusters} clusters; {changes} changes were announced.",
        "Katalog induk memuat {records} cantuman dalam {clusters} gugus; {changes} perubahan diumumkan.",
    ),
    "waiting": (
        "Waiting: {pairs} pairs for a cataloguer, {held} in quarantine.",
        "Menunggu: {pairs} pasangan untuk pengatalog, {held} di karantina.",
    ),
    "nothing_harvested": ("No source was due.", "Tidak ada sumber yang dijadwalkan."),
    "to_do": ("To do:", "Yang perlu dikerjakan:"),
    "not_complete": ("Not complete:", "Belum lengkap:"),
    "recovered": ("Recovered: {names}", "Pulih: {names}"),
    "constants": (
        "In nearly every record, so no evidence for matching: {names}",
        "Ada di hampir semua cantuman, jadi bukan bukti untuk pencocokan: {names}",
    ),
    "more": ("… and {count} more: {command}", "… dan {count} lagi: {command}"),
    "matching": ("Matching: {reason}", "Pencocokan: {reason}"),
    "output": ("Output {name}: {reason}", "Keluaran {name}: {reason}"),
    "renewed": (
        "Output {name} was written anew, since {reason}",
        "Keluaran {name} ditulis ulang seluruhnya, karena {reason}",
    ),
    "before": ("last good run {count}", "panen baik terakhir {count}"),
    # tasks
    "task_deletions": (
        "{name}: decide about the run that was halted {age}: {reason}",
        "{name}: putuskan panen yang ditahan {age}: {reason}",
    ),
    "task_gate": (
        "{name}: its changes are held back from the union {age}: {reason}",
        "{name}: perubahannya ditahan dari katalog induk, {age}: {reason}",
    ),
    "task_down": (
        "{name}: no complete harvest, night {nights}: {reason}",
        "{name}: panen tidak lengkap, malam ke-{nights}: {reason}",
    ),
    "task_stale": ("{name}: silent since {since}", "{name}: tidak terdengar sejak {since}"),
    "task_empty": (
        "{name}: the harvest ended well but brought no record at all",
        "{name}: panen selesai tetapi tidak membawa satu cantuman pun",
    ),
    "task_queue": (
        "{count} pairs wait for a cataloguer, {before} the last time",
        "{count} pasangan menunggu pengatalog, sebelumnya {before}",
    ),
    "task_feed": ("The feed is held: {reason}", "Aliran perubahan ditahan: {reason}"),
    "task_integrity": (
        "The catalogue contradicts itself: stop, look, restore if need be",
        "Katalog bertentangan dengan dirinya: hentikan, periksa, pulihkan bila perlu",
    ),
    "today": ("tonight", "malam ini"),
    "a_day": ("1 day ago", "1 hari lalu"),
    "days": ("{count} days ago", "{count} hari lalu"),
    "tolerated": ("tolerated for {count} nights", "ditoleransi {count} malam"),
    "nights": ("night {count}", "malam ke-{count}"),
    # a partner's own digest
    "partner_subject": ("[Induk] {name}: your records, night {night}", "[Induk] {name}: cantuman Anda, malam {night}"),
    "partner_run": ("The harvest of {source}: {verdict}. {reason}", "Panen {source}: {verdict}. {reason}"),
    "partner_counts": (
        "{active} of your records are in the union, {quarantined} could not be used.",
        "{active} cantuman Anda ada di katalog induk, {quarantined} tidak dapat dipakai.",
    ),
    "partner_reasons": ("Most frequent reasons:", "Alasan terbanyak:"),
    "partner_hint": ("Hint: {hint}", "Petunjuk: {hint}"),
    "no_records": ("the answer held no records", "jawaban tidak memuat cantuman"),
    # hints, by the stage at which a record failed
    "hint_fetch": ("look at the server's own log for that hour", "periksa log peladen pada jam tersebut"),
    "hint_split": (
        "export the file anew; its records run into each other",
        "ekspor ulang berkas; batas cantuman rusak",
    ),
    "hint_decode": ("export in UTF-8, with leader position 9 set to a", "ekspor dalam UTF-8, leader posisi 9 berisi a"),
    "hint_parse": (
        "the record is no well-formed MARC or XML; save it again",
        "cantuman bukan MARC/XML yang benar; simpan ulang",
    ),
    "hint_map": ("a title (245) and an identifier are needed", "judul (245) dan nomor pengenal wajib ada"),
    "hint_load": (
        "the record is too large or holds what no database keeps",
        "cantuman terlalu besar atau tidak dapat disimpan",
    ),
    "hint_match": ("tell the consortium; the fault may be ours", "beri tahu konsorsium; kesalahan mungkin pada kami"),
}
LANGUAGES = ("en", "id")


def phrase(key: str, language: str, /, **values: object) -> str:
    """The sentence *key* in *language* with its values; numbers are grouped as each language groups them."""
    text = PHRASES[key][LANGUAGES.index(language)]
    return text.format(**{name: number(value, language) for name, value in values.items()})


def number(value: object, language: str) -> str:
    """*value* as text; whole numbers as 1,234 in English and 1.234 in Indonesian."""
    if not isinstance(value, int):
        return str(value)
    grouped = f"{value:,}"
    return grouped.replace(",", ".") if language == "id" else grouped
