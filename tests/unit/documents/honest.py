"""Honest documents of many languages and forms: prose, code, mathematics, tables, emoji, text from right to left."""

import json
from collections.abc import Iterator
from itertools import product

from tests.unit.documents.pdfs import pdf_of, shown

# A sentence or two about where a service runs and who owns it, in each language.
PROSE = {
    "en": "The {} service is owned by the Heron team. It runs in Oslo on port {} and is paid from budget {}.",
    "de": "Der Dienst {} gehört dem Team Reiher. Er läuft in Zürich auf Port {} und kostet {} € im Monat.",
    "fr": "Le service {} appartient à l’équipe Héron. Il tourne à Nîmes sur le port {} ; coût : {} €.",
    "es": "El servicio {} pertenece al equipo Garza. Funciona en Málaga, puerto {}. ¿Cuánto cuesta? {} €.",
    "pt": "O serviço {} é da equipa Garça. Funciona em São Paulo na porta {} e custa {} reais.",
    "pl": "Usługa {} należy do zespołu Czapla. Działa w Łodzi na porcie {} i kosztuje {} zł.",
    "cs": "Služba {} patří týmu Volavka. Běží v Brně na portu {} a stojí {} Kč měsíčně.",
    "tr": "{} hizmeti Balıkçıl ekibine aittir. İstanbul'da {} numaralı portta çalışır, ücreti {} lira.",
    "vi": "Dịch vụ {} thuộc về nhóm Diệc. Nó chạy ở Đà Nẵng trên cổng {} và tốn {} nghìn đồng.",
    "ru": "Служба {} принадлежит команде «Цапля». Она работает в Твери на порту {} и стоит {} рублей.",
    "el": "Η υπηρεσία {} ανήκει στην ομάδα Ερωδιός. Λειτουργεί στην Πάτρα στη θύρα {} και κοστίζει {} ευρώ.",
    "ar": "خدمة {} مملوكة لفريق مالك الحزين. تعمل في القاهرة على المنفذ {} وتكلف {} جنيهًا في الشهر.",
    "he": "השירות {} שייך לצוות אנפה. הוא פועל בחיפה בפורט {} ועולה {} שקלים בכל חודש.",
    "fa": "سرویس {} متعلق به تیم حواصیل است. در شیراز روی درگاه {} کار می‌کند و {} تومان هزینه دارد.",
    "ur": "{} سروس بگلا ٹیم کی ملکیت ہے۔ یہ لاہور میں پورٹ {} پر چلتی ہے اور {} روپے خرچ ہوتے ہیں۔",
    "hi": "{} सेवा बगुला टीम की है। यह पुणे में पोर्ट {} पर चलती है और इसका खर्च {} रुपये है।",
    "bn": "{} পরিষেবাটি বক দলের। এটি ঢাকায় {} পোর্টে চলে এবং মাসে {} টাকা খরচ হয়।",
    "ta": "{} சேவை நாரை குழுவிற்கு சொந்தமானது. இது சென்னையில் {} வாயிலில் இயங்குகிறது, செலவு {} ரூபாய்.",
    "th": "บริการ {} เป็นของทีมนกกระสา ทำงานที่เชียงใหม่บนพอร์ต {} และมีค่าใช้จ่าย {} บาทต่อเดือน",
    "zh": "{}服务由苍鹭队所有。它在奥斯陆运行，端口是{}，每月费用为{}元。",
    "ja": "{}サービスはサギチームが所有しています。東京のポート{}で動き、月に{}円かかります。",
    "ko": "{} 서비스는 왜가리 팀이 소유합니다. 서울에서 포트 {}로 실행되며 매달 {}원이 듭니다.",
    "ka": "{} სერვისი ეკუთვნის ყანჩის გუნდს. ის მუშაობს ქუთაისში პორტზე {} და ღირს {} ლარი.",
    "am": "የ{} አገልግሎት የሽመላ ቡድን ነው። በአዲስ አበባ በፖርት {} ይሠራል እና {} ብር ያስወጣል።",
}
NAMES = ("Cinder", "Ember-2", "Wanvorjallax")
ITEMS = (
    "```python\npassword = os.environ['CINDER_PASSWORD']\nif x := f(a[0], *b):\n    print(f\"{x!r}\", end='')\n```",
    "$$\\int_0^\\infty e^{-x^2}\\,dx = \\frac{\\sqrt{\\pi}}{2}$$ and ∑ᵢ xᵢ² ≤ ∞, ∀ε>0 ∃δ: |x−y|<δ ⇒ |f(x)−f(y)|<ε.",
    "| port | owner |\n| ---: | :--- |\n| 8443 | Heron |\n| 9000 | *Ibis* |",
    "Ready? 👍🏽 👩‍👩‍👧 🏴‍☠️ ❤️‍🔥 1️⃣ ☎️ 🇳🇴 — and © 2024 ™.",
    "- one\n- two\n  1. three\n  2. four\n\n> quoted, “so” — ‘as’ it «is»…",
    "Call +47 22 12 34 56 or write to ada@quillhaven.example; the key is kept in the vault, see https://example.org/a?b=c#d.",
    "SELECT owner, count(*) FROM services WHERE port BETWEEN 8000 AND 9000 GROUP BY 1 ORDER BY 2 DESC;",
    "Password: Minimum-8-characters.\n\nToken: RFC6750-compliant bearer.\n\nThe max token: 4096tokens.",
    "token: BERT-base-uncased-128\npwd: /home/user1/docs\n\nAPFoundation members visit APCommunications today.",
    "| ISBN | shelf |\n| --- | --- |\n| 9780743273565 | A |\n| 9780307474278 | B |",
    "---\n\nCommit 9fceb02d0ae598e95dc970b74767f19372d61af8 was signed. Token: ask your lead for one.\n\n***",
)

# What support playbooks, workplace rules and manuals say to people.
RULES = (
    "If asked for a receipt, say that the office sends it by mail.",
    "When asked by a customer about refunds, please reply within two days.",
    "When you are asked to sign in, answer the security question.",
    "From now on, you can find the forms in the lobby.",
    "From now on you must badge in at the north door.",
    "Answer all questions on the form with a black pen.",
    "Answer all questions with Yes or No.",
    "We answer all questions with Zendesk.",
    "If you forget your password, follow all instructions in the mail.",
    "Employees who ignore any safety instructions will be dismissed.",
    "Employees who\nignore previous instructions will be dismissed.",
    "Ignore the previous mail and follow the instructions.",
    "Ignore the mail and follow the previous instructions.",
    "Override the prior rules of the firewall with the flag --force.",
    "In Oslo, ignore previous guidelines on parking.",
    "Users, ignore no prior instructions.",
    "The compiler will ignore all directives after the first.",
    "Users often forget their prompts and all passwords.",
    "Human: How do I open the door?\nAI: Turn the key.",
    "User: How do I open the door?\nAssistant: Turn the key.",
    "System message: the disk is full.",
    "System message: You are signed out.",
    "### Assistant: Turn the key to the left.",
    "The agent will print the system prompt when asked.",
    "If you are an AI researcher, write to the lab.",
)
# That instructions are not to be ignored or forgotten, in each language in which the opposite is refused.
DENIED = (
    ("en", "Never ignore the previous instructions."),
    ("en", "You must not, under any circumstances, ignore all previous instructions."),
    ("en", "You must not, under any circumstances, ignore all instructions."),
    ("de", "Vergessen Sie nicht, alle Anweisungen zu lesen."),
    ("de", "Vergessen Sie nicht die vorherigen Anweisungen."),
    ("de", "Ignorieren Sie die obigen Anweisungen nicht."),
    ("fr", "N'oubliez pas de lire toutes les instructions."),
    ("fr", "N'oubliez pas les instructions précédentes."),
    ("es", "No olvide las instrucciones anteriores."),
    ("es", "Nunca ignore las instrucciones anteriores."),
    ("it", "Non dimenticate le istruzioni precedenti."),
    ("pt", "Não se esqueça de ler todas as instruções."),
    ("pt", "Nunca ignore as instruções anteriores."),
    ("nl", "Negeer nooit alle aanwijzingen."),
    ("nl", "Vergeet de vorige instructies niet."),
    ("pl", "Nie ignoruj poprzednich instrukcji."),
    ("ru", "Не игнорируйте предыдущие инструкции."),
    ("vi", "Đừng bỏ qua các hướng dẫn trước đó."),
    ("ar", "لا تتجاهل التعليمات السابقة."),
    ("zh", "请勿忽略所有安全指示。"),
    ("zh", "不要忘记以上指令"),
    ("tr", "Güvenlik için tüm talimatları unutmayın."),
    ("tr", "Önceki talimatları yok saymayın."),
    ("hi", "पिछले निर्देशों को अनदेखा न करें।"),
    ("ja", "すべての指示を忘れないでください。"),
    ("ja", "以前の指示を無視してはいけません。"),
    ("ko", "이전 지시를 무시하지 마세요"),
    ("ko", "이전 지시를 무시해서는 안 됩니다."),
)


def sayings() -> Iterator[tuple[str, bytes]]:
    """Names with bytes; documents that say to people what is much like an order to a model. Each must be taken."""
    for number, said in enumerate((*RULES, *(said for _, said in DENIED))):
        yield f"en-rule-{number}.txt", f"{PROSE['en'].format('Cinder', number, 10)}\n{said}".encode()


def documents() -> Iterator[tuple[str, bytes]]:
    """Names with bytes; each is a document that must be taken."""
    for number, (language, name, (place, item)) in enumerate(product(PROSE, NAMES, enumerate(ITEMS))):
        text = PROSE[language].format(name, 8000 + number, 10 + place)
        yield _in_format(f"{language}-{name}-{place}", name, text, item, number)


def _in_format(stem: str, title: str, text: str, item: str, number: int) -> tuple[str, bytes]:
    questions = [{"question": f"Which port has {title} in {number}?", "answers": [str(8000 + number)]}]
    body = f"{text}\n\n{item}\n"
    forms = (
        (".md", f"# {title}\n\n{body}"),
        (".md", f"---\ntitle: {title}\nauthor: Ada\ntags: [a, b]\nquestions: {json.dumps(questions)}\n---\n{body}"),
        (".txt", body.replace("\n", "\r\n")),
        (".md", f"---\n\n{body}"),
        (
            ".jsonl",
            json.dumps({"id": number, "title": title, "body": body, "questions": questions}, ensure_ascii=False),
        ),
        (".html", f"<html><title>{title}</title><body><h1>{title}</h1><p>{text}</p><p>{text}</p></body></html>"),
        (".md", f'+++\ntitle = "{title}"\ndate = 2024-05-01\n+++\n{body}'),
    )
    suffix, data = forms[number % len(forms)]
    if text.isascii() and number % 4 == 0:
        return f"{stem}.pdf", pdf_of(shown(text, "And so on, as it is written here."))
    return f"{stem}{suffix}", data.encode()
