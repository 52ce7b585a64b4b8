"""The wordings that `pipeline.instructions` looks for: orders, roles and addresses, in the languages it knows."""

from typing import NamedTuple

FORGET = "order to forget instructions"
ANSWER = "order how to answer"
ROLE = "role marker"
ADDRESS = "address to a language model"


class Words(NamedTuple):
    """How a language says "ignore", "earlier" and "instructions".

    `verb`: forms that order alone. `unless`: what denies the order in front of the verb. `denied`: behind the verb.
    `last`: whether the verb comes last, and its form then tells an order from a denial.
    """

    verb: str
    whose: str
    things: str
    unless: str = ""
    denied: str = ""
    last: bool = False


# Guidelines on parking are none of a model's.
_NO_TOPIC = "(?! o[nf] )(?! for )(?! about )(?! in )"
FORGETTING = (
    Words(
        r"ignore|disregard|forget|do not follow|stop following|override(?!.{0,50}(?<!\w)(?:rule|directive|guideline))",
        r"previous|prior|above|earlier|preceding|former|foregoing|you were given"
        r"|your(?= (?:\w{1,12} )?(?:instructions?|prompts?|directions|guidelines|directives|rules)(?!\w))",
        rf"instructions?|prompts?|directions{_NO_TOPIC}|guidelines{_NO_TOPIC}|directives{_NO_TOPIC}|rules?{_NO_TOPIC}",
        unless=r"(?<!why )not|never|cannot|\w{2,6}n['’]t",
        denied=r"no(?= (?:previous|prior|above|earlier)(?!\w))",
    ),
    Words(
        r"ignorier(?:e|t|en sie)|vergiss|vergesst|vergessen sie|missachtet?|missachten sie",
        r"vorherig\w*|bisherig\w*|vorig\w*|obig\w*|früher\w*|vorangehend\w*",
        r"anweisung\w*|instruktion\w*|vorgaben|befehle",
        unless="nicht|nie|niemals|keinesfalls",
        denied="nicht|nie|niemals|keinesfalls|keine|keinen",
    ),
    Words(
        r"ignore[zs]?|ignorer|oublie[zs]?|oublier|néglige[zs]?|négliger",
        r"précédent\w*|antérieur\w*|ci-dessus",
        r"instructions?|consignes?|directives?",
        unless="ne|jamais|pas",
        denied="pas|jamais|aucune?",
    ),
    Words(
        r"ignor[ae]|ignor[ae]d|ignoren|olvid[ae]|olvidad|olviden",
        r"anterior\w*|previ[ao]s?|precedentes",
        r"instrucci\w+|indicaciones|órdenes",
        unless="no|nunca|jamás",
    ),
    Words(
        r"ignor[ai]|ignorate|dimentic(?:a|hi|ate)",
        r"precedent\w*|anterior\w*",
        r"istruzion\w+|indicazion\w+|direttiv\w+",
        unless="non|mai",
    ),
    Words(
        r"ignor[ea]|ignorem|esqueç[ao]m?|esqueça-se|desconsider[ea]m?",
        r"anterior\w*|prévi\w+|precedentes",
        r"instruç\w+|orientaç\w+",
        unless="não|nunca|jamais",
    ),
    Words(
        r"negeer|vergeet",
        r"vorige|eerdere|bovenstaande|voorgaande",
        r"instructies|opdrachten|aanwijzingen",
        unless="niet|nooit",
        denied="niet|nooit|geen",
    ),
    Words(
        r"z?ignoruj(?:cie)?|zignorować|zapomnij(?:cie)?",
        r"poprzedni\w*|wcześniejsz\w*|powyższ\w*",
        r"instrukcj\w*|polece\w+",
        unless="nie|nigdy",
    ),
    Words(
        r"(?:про)?игнорируй(?:те)?|забудь(?:те)?",
        r"предыдущ\w*|прежни\w*|вышеуказанн\w*",
        r"инструкци\w*|указани\w*|команд\w*",
        unless="не|никогда",
    ),
    Words(r"bỏ qua|phớt lờ|quên", r"trước|trên|trước đó", r"hướng dẫn|chỉ thị|mệnh lệnh", unless="đừng|không|chớ"),
    Words(r"و?تجاهل(?:وا|ي)?|و?انس(?:وا|ى|ي)?", r"السابق\w*|أعلاه", r"التعليمات|تعليمات|الأوامر", unless="لا|لن|لم"),
    Words(
        r"忽略|忽视|忽視|无视|無視|忘记|忘記",
        r"之前|以上|上述|先前|前面",
        r"指令|指示|提示词|提示詞|命令",
        unless="不要|请勿|請勿|切勿|勿|别|別|不得|不可|不能|不应|不應|不",
    ),
    Words(
        r"yok say(?:ın|ınız)?|unut(?:un|unuz)?|görmezden gel(?:in|iniz)?",
        r"önceki|yukarıdaki",
        r"talimat\w*|komut\w*|yönerge\w*",
        last=True,
    ),
    Words(
        r"(?:अनदेखा|नज़रअंदाज़) (?:कर (?:दें|दो)|करें|करो|कीजिए)|भूल (?:जाएं|जाएँ|जाओ|जाइए)",
        r"पिछले|पिछली|पूर्व",
        r"निर्देश\w*|आदेश\w*",
        unless=r"(?<!\S)(?:न|ना|मत|नहीं)(?=\s)",  # vowel signs are no \w
        last=True,
    ),
    Words(
        r"無視(?:して(?:ください|下さい)|しなさい|しろ|せよ)|忘れ(?:てください|て下さい|なさい|ろ(?!\w))"
        r"|(?:無視し|忘れ)て、[^。\n]{0,60}(?:てください|て下さい|なさい|せよ)",
        r"これまで|以前|上記|前の",
        r"指示|命令|プロンプト|指令",
        last=True,
    ),
    Words(
        r"(?:무시하|잊으)(?:세요|십시오|시오|라)(?!\w)|(?:무시해|잊어)(?:라|요|주세요| 주세요|버려|버리세요)?(?!\w)"
        r"|(?:무시하|잊)고[^.!?\n]{0,60}(?:세요|십시오|하라|해라|해)(?!\w)",
        r"이전|앞의|위의",
        r"지시|명령|지침|프롬프트",
        last=True,
    ),
)
# What may stand between the beginning of a clause and the verb of an order.
LEADS = (
    "please|kindly|now|then|and|so|but|just|also|ok|okay|hey|no|yes|instead|first|simply|immediately|why not|let us"
    "|let's|you (?:must|should|will|shall|can|have to|need to|are to)(?: now)?|(?:i|we) [a-z]{3,12} you to"
    "|your task is to|bitte|nun|jetzt|und|also|dann|s'il (?:vous|te) plaît|veuillez|maintenant|et|por favor|ahora|y"
    "|agora|e|per favore|ora|alsjeblieft|nu|en|proszę|teraz|пожалуйста|теперь|сейчас|и|а|hãy|vui lòng|xin|bây giờ|và"
    "|من فضلك|رجاء|رجاءً|الآن|يرجى"
)
UNSPACED_LEADS = "请|請|现在|現在|从现在起|從現在起|您|你|必须|必須|应该|應該|要|立即|然后|然後|并且|并|全部|完全|直接"
_GAP = r"[^.!?。！？\n]{0,40}?"
_YES = r"(?:yes|no|true|false|ja|nein|oui|non|sí|si|sì|sim|não|da|care|sorgfalt|bedacht|hilfe)(?!\w)"
# Words that are to be answered: quoted, named as words, or one name at the end of a clause.
_VALUE = (
    r" ?(?:[\"'“‘«„]|(?:only |just )?(?:the|dem|le|la|el|il|a|o) "
    r"(?:words?|phrase|sentence|name|text|string|wort|satz|namen|mot|nom|palabra|frase|nombre|palavra|nome|parola)(?!\w)"
    rf"|nothing but|(?!{_YES})(?-i:[A-ZÀ-ÞА-Я])\w*(?= *(?:[.!;,\n]|$)))"
)


class Pattern(NamedTuple):
    """What is looked for where one of `hints` stands in the text, in lower case.

    `begins`: whether it counts only where a clause begins, as an order does.
    """

    wording: str
    hints: tuple[str, ...]
    begins: bool = False


ANSWERS = (
    Pattern(
        rf"(?<!\w)(?:answer|reply(?: to)?|respond(?: to)?)(?!\w)[^.!?\n]{{0,20}}?(?<!\w)(?:every|all|any|each)(?!\w)"
        rf"{_GAP}(?<!\w)(?:questions?|quer(?:y|ies)|prompts?|messages?)(?!\w){_GAP}"
        rf"(?<!\w)(?:with|by|saying)(?: saying| answering)?{_VALUE}",
        ("answer", "reply", "respond"),
        begins=True,
    ),
    Pattern(
        rf"(?<!\w)(?:antworte|beantworte)(?:n sie)?(?!\w){_GAP}(?<!\w)(?:jede|alle)\w*{_GAP}(?<!\w)fragen?(?!\w){_GAP}"
        rf"(?<!\w)mit{_VALUE}",
        ("antworte",),
        begins=True,
    ),
    Pattern(
        rf"(?<!\w)répond(?:s|ez|re)(?!\w){_GAP}(?<!\w)(?:tou\w+|chaque)(?!\w){_GAP}(?<!\w)questions?(?!\w){_GAP}"
        rf"(?<!\w)(?:par|avec){_VALUE}",
        ("répond",),
        begins=True,
    ),
    Pattern(
        rf"(?<!\w)(?:respond|contest)(?:a|e|an|am|ed)(?!\w){_GAP}(?<!\w)(?:tod[ao]s|cada|cualquier)(?!\w){_GAP}(?<!\w)"
        rf"(?:preguntas?|perguntas?)(?!\w){_GAP}(?<!\w)(?:con|com){_VALUE}",
        ("pregunta", "pergunta"),
        begins=True,
    ),
    Pattern(
        rf"(?<!\w)rispond(?:i|ete|a)(?!\w){_GAP}(?<!\w)(?:tutte|ogni)(?!\w){_GAP}(?<!\w)domand\w+{_GAP}(?<!\w)con{_VALUE}",
        ("rispond",),
        begins=True,
    ),
    Pattern(
        rf"(?<!\w)отвечай(?:те)?(?!\w){_GAP}(?<!\w)(?:кажд\w+|все|любо\w+)(?!\w){_GAP}(?<!\w)вопрос\w*"
        r"(?: *[:—-]| только| словом| фразой| именем)",
        ("отвечай",),
        begins=True,
    ),
    Pattern(r"(?:所有|每个|每個|任何)的?(?:问题|問題)都?(?:只|一律)?(?:用|以)?回答(?![得了完过過后後。，])", ("回答",)),
    Pattern(
        r"(?:すべて|全て|あらゆる)の質問[^。！？\n]{0,20}?「[^」\n]{1,40}」と(?:だけ|のみ)?(?:答え|回答)", ("質問",)
    ),
    Pattern(
        r"모든 질문[^.!?\n]{0,20}?[\"'“‘][^\"'”’\n]{1,40}[\"'”’] ?(?:이?라고|으?로)만? ?(?:답|대답)", ("모든 질문",)
    ),
)
# Wordings of such orders that workplaces have for their people, too.
HINTS = (
    Pattern(
        r"(?<!\w)(?:whenever|when|if|once) (?:you are|you're) (?:ever |next )?asked(?!\w)[^.!?\n]{0,120}?(?<!\w)"
        r"(?:answer|say|reply|respond)(?!\w)",
        ("asked",),
    ),
    Pattern(
        r"(?<!\w)(?:whenever|when|if) (?:ever )?asked(?!\w)[^.!?\n,]{0,120}?, *"
        r"(?:always |please |just |only |you must )*(?:answer|say|reply|respond)(?!\w)",
        ("asked",),
    ),
    Pattern(r"(?<!\w)from now on,? (?:you|answer|reply|respond|say|act)(?!\w)", ("from now on",)),
)
_MODEL = r"(?:AI|A\.I\.|artificial intelligence|(?:large )?language models?|LLMs?|chat ?bots?)"
_MODELS = ("ai", "a.i.", "artificial intelligence", "language model", "llm", "chatbot", "chat bot")
_TRADE = r"(?![\w-]| (?:research|engineer|develop|team|special|user|expert|compan|lab|product|scien|vendor|start))"
ADDRESSES = (
    Pattern(
        r"(?<!\w)(?:you are|you're|act as|behave as|pretend (?:to be|you are))(?: now)?(?: an?| the| my)?"
        rf"(?: \w{{1,20}}){{0,2}}? {_MODEL}{_TRADE}",
        _MODELS,
    ),
    Pattern(
        rf"(?<!\w)(?:dear|attention|note to|message to|a word to)(?: the| all| any| every)?,? {_MODEL}{_TRADE}", _MODELS
    ),
    Pattern(r"(?<!\w)as an? (?:AI|language model|AI (?:assistant|model)|AI language model),? you(?!\w)", _MODELS),
    Pattern(
        r"(?<!\w)(?:reveal|print|repeat|show|ignore)(?: me)?(?: your| the) (?:system|hidden|initial) prompt",
        ("prompt",),
        begins=True,
    ),
)
_ORDERS = (
    r"(?:you are (?:now )?(?:an?|the)|you must (?:obey|answer|say|reply)|ignore|disregard|forget|obey|from now on"
    r"|act as|(?:always |only )?(?:answer|say|reply|respond))(?!\w)"
)
ROLES = (
    Pattern(r"^[ \t]{0,8}<\|(?:im_start|start_header_id|system|user|assistant)\|>", ("<|",)),
    Pattern(r"^[ \t]{0,8}(?:<start_of_turn>|\[/?INST\]|<</?SYS>>)", ("<start_of_turn>", "inst]", "sys>>")),
    Pattern(
        r"^[ \t]{0,8}(?:#{2,6}[ \t]{0,3}|\[)?(?:new |updated )?(?:system|developer)"
        rf"(?: prompt| message| override| instructions?)?\]?[ \t]{{0,3}}:\s{{0,4}}{_ORDERS}",
        ("system", "developer"),
    ),
)
# "Ignore the above" names no instructions: an order follows.
ABOVE = Pattern(
    r"(?<!\w)(?:ignore|disregard|forget) (?:all |everything )?(?:of )?(?:the )?above[ ,;.:!]{1,3}"
    r"(?:(?:and|then|instead|now|just|only|please) ){0,3}"
    r"(?:answer|say|reply|respond|write|print|output|translate|tell)(?!\w)",
    ("above",),
    begins=True,
)
