"""The words of texts in many scripts: what is found by them, and what counts as one."""

import unicodedata

import pytest

from edge_st_runtime.store.sparse.bm25 import BM25
from edge_st_runtime.store.sparse.words import letter_words, unicode_words

#: a text of each language, and a query that it answers
FOUND = {
    "Hindi": ("हिन्दी भारत की राजभाषा है और करोड़ों लोग इसे बोलते हैं।", "हिन्दी राजभाषा"),
    "Bengali": ("বাংলাদেশের রাজধানী ঢাকা একটি বড় শহর।", "রাজধানী ঢাকা"),
    "Tamil": ("சென்னை தமிழ்நாட்டின் தலைநகரம் ஆகும்.", "தலைநகரம் சென்னை"),
    "Khmer": ("ភ្នំពេញជារាជធានីនៃប្រទេសកម្ពុជា", "រាជធានី"),
    "Chinese": ("北京是中华人民共和国的首都。", "首都北京"),
    "one Han character": ("我家的猫喜欢睡觉。", "猫"),
    "Japanese": ("東京は日本の首都であり、世界最大の都市の一つです。", "日本の首都"),
    "half-width kana": ("ﾃﾚﾋﾞを見る", "テレビ"),
    "Korean": ("서울은 대한민국의 수도이다.", "수도 서울"),
    "one Hangul syllable": ("집에서 책을 읽는다.", "집"),
    "Thai": ("กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย", "เมืองหลวง"),
    "Lao": ("ວຽງຈັນເປັນນະຄອນຫຼວງຂອງປະເທດລາວ", "ນະຄອນຫຼວງ"),
    "Burmese": ("နေပြည်တော်သည် မြန်မာနိုင်ငံ၏ မြို့တော်ဖြစ်သည်", "မြို့တော်"),
    "full-width letters": ("ＰＣを買う", "pc"),
    "Persian, with a joiner": ("او می‌خواهد بنویسد", "میخواهد"),
    "German": ("DIE GRÖSSTE STADT", "größte"),
    "Greek": ("Ο ΔΡΌΜΟΣ", "δρόμος"),
}


@pytest.fixture(scope="module")
def index() -> BM25:
    found = BM25()
    found.add([text for text, _ in FOUND.values()])
    return found


@pytest.mark.parametrize("place", range(len(FOUND)), ids=FOUND)
def test_every_script_is_found(index: BM25, place: int) -> None:
    _, query = list(FOUND.values())[place]
    for form in ("NFC", "NFD"):
        assert index.search(unicodedata.normalize(form, query), 1)[1].tolist() == [[place]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ein ÄPFEL-Baum, a 12 x_1", ["ein", "äpfel", "baum", "12", "x_1"]),
        ("don’t \u0301 ½ e\u0301te\u0301", ["don", "été"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("日本語", ["日本", "本語", "日", "本", "語"]),
        ("かな", ["かな"]),
        ("か。な", ["か", "な"]),
        ("Python入門3版", ["python", "入門", "入", "門", "版"]),
        ("Donau\u00addampf", ["donaudampf"]),
        ("葛\U000e0100", ["葛"]),
        ("👍\ufe0f ok", ["ok"]),
        ("กำ", ["กํา"]),
        ("", []),
    ],
    ids=ascii,
)
def test_words(text: str, words: list[str]) -> None:
    assert unicode_words(text) == words


def test_english_has_the_words_that_it_had() -> None:
    text = "The naïve café's menu\u2014“3 eggs”, x_1, a\tB and Zoë's £12.50"
    assert unicode_words(text) == letter_words(text)
    assert unicode_words(text.encode("ascii", "ignore").decode()) == letter_words(
        text.encode("ascii", "ignore").decode()
    )


def test_letters_end_at_marks() -> None:
    assert letter_words("日本語 e\u0301te\u0301 हिन्दी") == ["日本語", "te"]
