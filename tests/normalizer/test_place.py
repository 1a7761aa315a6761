"""Divisions and address phrases as citizens write them, and the traps among them."""

from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normalizer.place import Gazetteer, find_place, locate, same_place
from normalizer.schema import Place
from normalizer.text import fold, normalize_text

SUZHOU = "341300"  # 宿州, Anhui
OTHER_SUZHOU = "320500"  # 苏州, Jiangsu


@pytest.fixture(scope="module")
def gazetteer() -> Gazetteer:
    """The packaged divisions with the towns of 宿州."""
    return Gazetteer.load(SUZHOU)


def found(text: str, gazetteer: Gazetteer, home: str = SUZHOU) -> Place:
    """The place of a text as the normalizer would look for it."""
    normalized = normalize_text(text)
    return find_place(normalized, fold(normalized), gazetteer, home)


#: text, adcode, literal place text, street
TOLD = [
    ("埇桥区人民路与汴河路交叉口有人被车撞了", "341302", "埇桥区人民路与汴河路交叉口", None),
    ("我在宿州市埇桥区朱仙庄镇,家里进水了", "341302", "宿州市埇桥区朱仙庄镇", "朱仙庄镇"),
    ("朱仙庄镇政府门口有人打架", "341302", "朱仙庄镇政府门口", "朱仙庄镇"),
    ("安徽省宿州市砀山县李庄镇镇政府", "341321", None, "李庄镇"),
    ("我家住在汴河小区3号楼二单元501,停电了", "341300", "汴河小区3号楼二单元501", None),
    ("G3高速K843+200合肥方向两车追尾", "341300", "G3高速K843+200合肥方向", None),
    ("国道206线12公里处有辆车翻了", "341300", "国道206线12公里处", None),
    ("107国道旁边堆着垃圾", "341300", "107国道旁边", None),
    ("人民路12号楼下烧烤油烟大", "341300", "人民路12号楼下", None),
    ("建设里小区七号楼着火了", "341300", "建设里小区七号楼", None),
    ("厨房着火,在锦绣花园12-2-601", "341300", "锦绣花园12-2-601", None),
    ("凯旋国际B座2109有人喊救命", "341300", "凯旋国际B座2109", None),
    ("请派人到银河一路看看", "341300", "银河一路", None),
    ("光明路和解放路路口撞车了", "341300", "光明路和解放路路口", None),
    ("和平路88号院3号楼漏水", "341300", "和平路88号院3号楼", None),
    ("实验小学门口有人摆摊", "341300", "实验小学门口", None),
    ("滨河公园有人落水", "341300", "滨河公园", None),
    ("宿州市第一人民医院停车难", "341300", "宿州市第一人民医院", None),
    ("宿州火车站有人晕倒", "341300", "宿州火车站", None),
    ("双桥村三组的路灯不亮", "341300", "双桥村三组", None),
    ("李家湾村被水淹了", "341300", "李家湾村", None),
    ("我住在埇桥,经常停电", "341302", "埇桥", None),
    ("泗县发生交通事故", "341324", "泗县", None),
    ("灵璧县灵城镇凤山大道灯坏了", "341323", None, None),
    ("砀山今年的梨卖不出去", "341321", "砀山", None),
    ("萧县龙城镇淮海路积水", "341322", "萧县龙城镇淮海路", "龙城镇"),
    ("宿州停水了", "341300", "宿州", None),
    ("安徽省人民路有个坑", "341300", "安徽省人民路", None),
    ("锦绣江南3栋502漏水", "341300", "锦绣江南3栋502", None),
    ("3号楼2单元着火", "341300", "3号楼2单元", None),
    ("拂晓大道与淮海路交汇处红绿灯坏了", "341300", "拂晓大道与淮海路交汇处红绿灯", None),
    ("万达广场南门有人跳楼", "341300", "万达广场南门", None),
    ("二号线人民广场站有人晕倒", "341300", "人民广场站", None),
    ("城东街道的垃圾没人收", "341302", "城东街道", "城东街道"),
    ("位于西昌路巷口的饭店扰民", "341300", None, None),
    ("淮海南路68号门口井盖没了", "341300", "淮海南路68号门口", None),
    ("宿州学院东门烧烤摊油烟大", "341300", "宿州学院东门", None),
    ("高铁站出租车不打表", "341300", "高铁站", None),
    ("火车站北广场黑车拉客", "341300", "火车站北广场", None),
    ("你们市政府门口有人拉横幅", "341300", "市政府门口", None),
    ("时村北街的下水道堵了", "341300", "时村北街", None),
    ("我掉进沱河里了", "341300", "沱河里", None),
    ("恒大御景湾一期3#楼2单元停水", "341300", "恒大御景湾一期3#楼2单元", None),
    ("银河一路汇源大酒店三楼KTV有人打架", "341300", "银河一路汇源大酒店三楼", None),
    ("济祁高速砀山出口堵车", "341321", "济祁高速砀山出口", None),
    ("泗县山头镇王官村黄桥庄35号", "341324", "泗县山头镇王官村黄桥庄35号", "山头镇"),
    ("合肥市公积金能在宿州用吗", "341300", "宿州", None),
    ("我是安徽宿州的,在江苏昆山打工被拖欠工资", "320583", "江苏昆山", None),
    ("在安和小区,20号晚上开始停电", "341300", "安和小区", None),
    ("在安和小区,20号楼停电", "341300", "安和小区,20号楼", None),
    ("白沙象湖南路堵了", "341300", "白沙象湖南路", None),
    # traditional and full-width
    ("埇橋區人民路１２號著火", "341302", "埇橋區人民路12號", None),
    ("請派救護車到中山路二段", "341300", "中山路二段", None),
    # other cities
    ("苏州观前街着火了", "320500", "苏州观前街", None),
    ("昆山市玉山镇有人打架", "320583", "昆山市玉山镇", "玉山镇"),
    ("南京鼓楼区湖南路", "320106", "南京鼓楼区湖南路", None),
    ("北京市朝阳区望京街道", "110105", "北京市朝阳区望京街道", "望京街道"),
    ("上海市徐汇区虹漕路461弄58号", "310104", "上海市徐汇区虹漕路461弄58号", None),
    ("吉林市丰满区", "220211", "吉林市丰满区", None),
    ("吉林省的社保怎么转", "220000", "吉林省", None),
    ("仙桃市沙嘴街道", "429004", "仙桃市沙嘴街道", "沙嘴街道"),
    ("东莞市长安镇乌沙社区", "441900", "东莞市长安镇乌沙社区", "长安镇"),
    ("香港九龙城区", "810007", "香港九龙城区", None),
    ("琼中县湾岭镇", "469030", "琼中县湾岭镇", "湾岭镇"),
    ("晋城市城区停水", "140502", "晋城市城区", None),
    ("河南省新乡市辉县市三位营村", "410782", "河南省新乡市辉县市三位营村", None),
    ("新乡·卫辉市", "410781", "新乡·卫辉市", None),
    ("武汉市江汉区解放大道", "420103", "武汉市江汉区解放大道", None),
    ("合肥滨湖新区", "340100", None, None),
    ("坐标合肥,火很大", "340100", "合肥", None),
    ("吉林长春市", "220100", "吉林长春市", None),
    ("宿州市洗马路12号的井盖没了", "341300", "宿州市洗马路12号", None),
    ("在洗马路和人民路交叉口", "341300", "洗马路和人民路交叉口", None),
]


@pytest.mark.parametrize(("text", "adcode", "literal", "street"), TOLD)
def test_a_told_place_is_found(
    text: str, adcode: str, literal: str | None, street: str | None, gazetteer: Gazetteer
) -> None:
    """The deepest division is known, and the address phrase is as the citizen wrote it."""
    place = found(text, gazetteer)
    assert place.adcode == adcode
    if literal is not None:
        assert place.text == literal
    if street is not None:
        assert place.street == street


@pytest.mark.parametrize(
    "text",
    [
        "我爸没气了",
        "你好",
        "",
        "   ",
        "太吵了",
        "今天水压很低",
        "每天水费这么贵",
        "路上海鲜摊占道",
        "网上海报都是假的",
        "大厦门口停满了车",
        "朝南阳台漏水",
        "二十四平方米的房子",
        "汴河南岸有人钓鱼",
        "我和县里领导反映过",
        "我知道县里有规定",
        "治理县城环境",
        "内容县里看过",
        "响应城市规划",
        "消防通道被占了",
        "请公安局处理",
        "老城区积水严重",
        "城区道路太堵",
        "我是河南人",
        "他一口上海话",
        "兰州拉面馆卫生差",
        "宿州板面太咸",
        "上海大众汽车维修店不退款",
        "北京时间晚了",
        "江苏恒通建设有限公司拖欠工资",
        "大理石地面开裂",
        "哈密瓜坏了",
        "保证质量和平等对待",
        "我们小区停电了",
        "这条路太窄",
        "马路上全是水",
        "一路小跑回家",
        "公交122路末班车几点",
        "电梯里的线路老化",
        "农村医保怎么交",
        "乡镇卫生院缺医生",
        "学校食堂饭菜不好",
        "希望政府重视",
        "附近的医院都满了",
        "回家路上摔了一跤",
        "孩子在幼儿园发烧",
        "开往合肥的火车晚点了",
        "这是个思路问题",
        "从徐州回来的路上摔了",
        "去南京看病怎么报销",
        "徐州方向堵车",
        "往火车站方向跑了",
        "市政府不作为",
        "南翔云集三楼",
    ],
)
def test_a_text_without_a_place_stays_empty(text: str, gazetteer: Gazetteer) -> None:
    """What only looks like a place makes none, and the instance's city is not assumed."""
    assert found(text, gazetteer) == Place()


@pytest.mark.parametrize(
    ("text", "adcode"),
    [
        ("鼓楼区有人打架", None),
        ("南京的鼓楼区有人打架", "320106"),
        ("我在徐州,鼓楼区有人打架", "320302"),
        ("福建省福州市鼓楼区", "350102"),
        ("朝阳区着火了", None),
        ("吉林省长春市朝阳区着火了", "220104"),
        ("城关区停水", None),
        ("兰州市城关区停水", "620102"),
        ("宝山区停电", None),
        ("上海市宝山区停电", "310113"),
        ("双鸭山市宝山区停电", "230506"),
    ],
)
def test_a_name_of_several_divisions_needs_its_parent(
    text: str, adcode: str | None, gazetteer: Gazetteer
) -> None:
    """Which of several districts is meant is left open until the text tells."""
    assert found(text, gazetteer).adcode == adcode


@pytest.mark.parametrize(
    ("home", "text", "adcode"),
    [
        ("320100", "鼓楼区有人打架", "320106"),
        ("320300", "鼓楼区有人打架", "320302"),
        ("110000", "朝阳区着火了", "110105"),
        ("110100", "朝阳区着火了", "110105"),
        ("220100", "朝阳区着火了", "220104"),
        ("620100", "城关区停水", "620102"),
        ("140500", "城区停水", "140502"),
        ("410300", "老城区停水", "410302"),
        ("340500", "和县停水", "340523"),
        ("310000", "徐汇区停水", "310104"),
        ("500000", "渝中区停水", "500103"),
        ("429004", "人民大道停水", "429004"),
        ("441900", "人民大道停水", "441900"),
        (OTHER_SUZHOU, "姑苏区观前街", "320508"),
        (OTHER_SUZHOU, "人民路停水", "320500"),
    ],
)
def test_the_own_city_decides(home: str, text: str, adcode: str, gazetteer: Gazetteer) -> None:
    """Where the text is silent about the city, it is the instance's own."""
    assert found(text, gazetteer, home).adcode == adcode


def test_all_levels_are_named(gazetteer: Gazetteer) -> None:
    """A district found alone brings its city and province."""
    place = found("埇桥区停电了", gazetteer)
    assert (place.province, place.city, place.district) == ("安徽省", "宿州市", "埇桥区")
    assert (place.text, place.adcode, place.street) == ("埇桥区", "341302", None)


def test_a_municipality_is_its_own_city(gazetteer: Gazetteer) -> None:
    """北京 is province and city at once."""
    place = found("北京市海淀区中关村大街", gazetteer)
    assert (place.province, place.city, place.district) == ("北京市", "北京市", "海淀区")


def test_two_cities_of_one_sound_are_apart(gazetteer: Gazetteer) -> None:
    """宿州 and 苏州 are each known for itself."""
    assert found("宿州市停水", gazetteer, OTHER_SUZHOU).city == "宿州市"
    assert found("苏州市停水", gazetteer, SUZHOU).city == "苏州市"


def test_the_own_city_goes_before_whence_someone_comes(gazetteer: Gazetteer) -> None:
    """Of two cities that a text names, the instance's own is where the matter is."""
    assert found("我从苏州回到宿州过年,路被挖断了", gazetteer).adcode == "341300"


def test_a_district_elsewhere_in_the_text_is_used(gazetteer: Gazetteer) -> None:
    """The phrase tells the road, another sentence the district."""
    place = found("我是泗县的,石梁河路上有个大坑", gazetteer)
    assert (place.text, place.adcode) == ("石梁河路", "341324")


def test_two_districts_decide_nothing(gazetteer: Gazetteer) -> None:
    """With two districts named apart from the road, only the city is certain."""
    place = found("从泗县到灵璧县都一样,迎宾大道天天堵", gazetteer)
    assert (place.text, place.adcode) == ("迎宾大道", "341300")


def test_the_fuller_phrase_wins(gazetteer: Gazetteer) -> None:
    """Of several phrases the one that tells most is the place."""
    place = found("我在人民路上班,家在汴河小区3号楼2单元,家里着火了", gazetteer)
    assert place.text == "汴河小区3号楼2单元"


def test_towns_tell_the_district_only_with_the_home_loaded() -> None:
    """Without the towns of the city a town is a street without a district."""
    bare = Gazetteer.load()
    place = found("朱仙庄镇停电了", bare)
    assert (place.street, place.district, place.adcode) == ("朱仙庄镇", None, "341300")


def test_official_names_are_published_unfolded() -> None:
    """乾县 is published as it is written, though folding makes it 干县."""
    assert Gazetteer.load().name("610424") == "乾县"
    assert found("陕西省咸阳市乾县", Gazetteer.load()).district == "乾县"


@pytest.mark.parametrize("code", ["341302", "110000", "110105", "429004", "810007", "650000"])
def test_codes_have_names(code: str, gazetteer: Gazetteer) -> None:
    """Every level of GB/T 2260 is in the data."""
    assert gazetteer.name(code)


def test_the_data_are_whole(gazetteer: Gazetteer) -> None:
    """34 provinces; placeholders and functional zones, which GB/T 2260 lacks, are not there."""
    provinces = [f"{number}0000" for number in range(11, 83) if gazetteer.name(f"{number}0000")]
    assert len(provinces) == 34
    assert gazetteer.name("110100") is None
    assert gazetteer.name("341371") is None
    assert gazetteer.name(None) is None


def test_every_official_name_is_found_as_texts_are_folded(gazetteer: Gazetteer) -> None:
    """The data were written with the folding in force: 乾县 is looked for as 干县."""
    data = files("normalizer") / "data" / "divisions.txt"
    rows = [line.split(" ") for line in data.read_text(encoding="utf-8").splitlines()]
    official = {row[0]: row[2].split(",") for row in rows if row[0] != "#" and row[1] == "f"}
    assert len(official) > 2800
    for name, codes in official.items():
        mentions = gazetteer.mentions(fold(name))
        assert len(mentions) == 1, name
        assert set(mentions[0].entry.codes) >= set(codes)


# --- an address that was given as such ------------------------------------------------------


def test_an_address_field_is_the_place_whole(gazetteer: Gazetteer) -> None:
    """The citizen filled the field, so all of it is place text."""
    place = locate(" 汴河小区 老李家隔壁 ", gazetteer, SUZHOU)
    assert place.text == "汴河小区 老李家隔壁"
    assert (place.city, place.adcode) == ("宿州市", "341300")


@pytest.mark.parametrize(
    ("address", "adcode", "street"),
    [
        ("埇桥区朱仙庄镇李庄村", "341302", "朱仙庄镇"),
        ("合肥市蜀山区黄山路1号", "340104", None),
        ("安徽宿州埇桥银河一路", "341302", None),
        ("顺河镇", "341302", "顺河镇"),
        ("不知道", "341300", None),
    ],
)
def test_an_address_is_resolved(
    address: str, adcode: str, street: str | None, gazetteer: Gazetteer
) -> None:
    """Divisions of the address are known; a silent one is in the instance's city."""
    place = locate(address, gazetteer, SUZHOU)
    assert (place.text, place.adcode, place.street) == (address, adcode, street)


@pytest.mark.parametrize("address", ["", "  ", "\n"])
def test_an_empty_address_is_no_place(address: str, gazetteer: Gazetteer) -> None:
    """Nothing is assumed where nothing was given."""
    assert locate(address, gazetteer, SUZHOU) == Place()


# --- one happening or two -------------------------------------------------------------------

ONE, DOOR, TWO = 0.8, 0.95, 0.3  # what those who join reports take for one place and for two


def alike(one: str, other: str, gazetteer: Gazetteer) -> float:
    """The likeness of two addresses, which is the same either way."""
    a, b = locate(one, gazetteer, SUZHOU), locate(other, gazetteer, SUZHOU)
    assert same_place(b, a) == same_place(a, b)
    return same_place(a, b)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("汴河小区3号楼", "汴河小区3栋"),
        ("某小区3号楼", "某小区3栋"),
        ("汴河小区3号楼2单元501", "埇桥区汴河小区三栋二单元501"),
        ("锦绣花园12-2-601", "锦绣花园12栋2单元601"),
        ("人民路12号", "埇桥区人民路12号锦绣花园"),
        ("人民路与汴河路交叉口", "汴河路和人民路路口"),
        ("国道206线12公里", "G206国道12公里处"),
    ],
)
def test_one_door_in_two_wordings(one: str, other: str, gazetteer: Gazetteer) -> None:
    """What tells one door is one place for certain, however it is worded."""
    assert alike(one, other, gazetteer) >= DOOR


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("汴河小区3号楼2单元", "埇桥区汴河小区三栋"),
        ("汴河小区3号楼2单元501", "汴河小区3号楼1单元102"),
        ("汴河小区", "汴河小区5号楼"),
        ("宿州市埇桥区汴河小区", "汴河小区南门"),
        ("人民路12号", "人民路14号"),
        ("埇桥区人民路", "人民路与汴河路交叉口"),
        ("G3高速K843+200", "G3高速K843+900合肥方向"),
        ("万达广场", "埇桥区万达广场南门"),
        ("朱仙庄镇李庄村", "李庄村三组"),
        ("滨河公園", "滨河公园门口"),
        ("3号楼", "3栋"),
        ("拂晓大道", "拂晓大道88号"),
        ("老粮站", "老粮站后面"),
    ],
)
def test_one_place_but_not_one_door(one: str, other: str, gazetteer: Gazetteer) -> None:
    """A fire there is one fire; two patients there may be two."""
    assert ONE <= alike(one, other, gazetteer) < DOOR


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("汴河小区", "锦绣花园"),
        ("人民路12号", "人民路300号"),
        ("人民路", "汴河路"),
        ("人民路与汴河路交叉口", "人民路与淮海路交叉口"),
        ("埇桥区人民路", "泗县人民路"),
        ("宿州市人民路", "苏州市人民路"),
        ("G3高速K843+200", "G3高速K860"),
        ("朱仙庄镇李庄村", "朱仙庄镇王庄村"),
        ("银河一路汴河小区", "银河一路国购广场"),
        ("3号楼", "5号楼"),
    ],
)
def test_two_places_stay_two(one: str, other: str, gazetteer: Gazetteer) -> None:
    """Places that their names or numbers part are two for certain."""
    assert alike(one, other, gazetteer) < TWO


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("汴河小区3号楼", "汴河小区5号楼"),
        ("人民路", "汴河小区"),
        ("3号楼", "汴河小区3号楼"),
        ("老粮站", "人民路"),
        ("朱仙庄镇", "朱仙庄镇李庄村"),
    ],
)
def test_what_cannot_be_compared_is_undecided(one: str, other: str, gazetteer: Gazetteer) -> None:
    """An estate may stand on the road: neither one place nor two."""
    assert TWO <= alike(one, other, gazetteer) < ONE


def test_near_positions_are_one_place() -> None:
    """200 m apart is one place but no one door; 1.5 km apart is two places."""
    here = Place(latitude=33.6461, longitude=116.9640)
    assert ONE <= same_place(here, Place(latitude=33.6479, longitude=116.9640)) < DOOR
    assert same_place(here, Place(latitude=33.6600, longitude=116.9640)) < TWO
    assert TWO <= same_place(here, Place(latitude=33.6500, longitude=116.9640)) < ONE


def test_near_positions_join_differing_names() -> None:
    """Of one fire one tells the hall it burns in, another the house they watch from."""
    one = Place(text="万达广场", latitude=33.6461, longitude=116.9640)
    assert same_place(one, Place(text="国购大厦", latitude=33.6470, longitude=116.964)) >= ONE
    far_number = Place(text="人民路300号", latitude=33.6461, longitude=116.9640)
    number = Place(text="人民路12号", latitude=33.6462, longitude=116.9640)
    assert same_place(far_number, number) >= ONE


def test_near_positions_do_not_join_two_buildings() -> None:
    """Buildings of one estate are always near."""
    one = Place(text="汴河小区3号楼", latitude=33.6461, longitude=116.9640)
    other = Place(text="汴河小区5号楼", latitude=33.6462, longitude=116.9640)
    assert same_place(one, other) < ONE


def test_far_positions_part_equal_names() -> None:
    """Two shops of one name, 10 km apart."""
    one = Place(text="万达广场", latitude=33.60, longitude=116.96)
    assert same_place(one, Place(text="万达广场", latitude=33.70, longitude=116.96)) < TWO
    assert same_place(one, Place(text="万达广场", latitude=33.605, longitude=116.96)) >= ONE


def test_the_unknown_is_undecided() -> None:
    """A report without a place is neither joined nor parted by its place."""
    known = Place(text="汴河小区", city="宿州市")
    for a, b in (
        (Place(), Place()),
        (Place(), known),
        (known, Place(latitude=33.6, longitude=116.9)),
    ):
        assert TWO <= same_place(a, b) < ONE


# --- any text --------------------------------------------------------------------------------

_WORDS = (
    "宿州市 埇桥区 鼓楼区 朝阳 人民 路 大道 街道 小区 3号楼 二单元 - K12+300 与 和 在 的 , 。 镇 村 县 高速 G3 国道 医院 学校 "
    "政府 于 方向 栋 12 一 號 🔥 省 吉林 海南 上海 市 · ( )"
)
_PIECES = st.sampled_from(_WORDS.split(" "))


@settings(deadline=None)  # a loaded machine is slow, not wrong
@given(text=st.one_of(st.text(max_size=80), st.lists(_PIECES, max_size=14).map("".join)))
def test_any_text_is_read(text: str, gazetteer: Gazetteer) -> None:
    """No text raises; what is found is a slice of it and a division of the data."""
    normalized = normalize_text(text)
    place = find_place(normalized, fold(normalized), gazetteer, SUZHOU)
    assert place.text is None or (place.text and place.text in normalized)
    assert (place.adcode is None) == (place.province is None)
    if place.adcode:
        assert gazetteer.name(place.adcode)
    assert 0.0 <= same_place(place, place) <= 1.0
    assert locate(text, gazetteer, SUZHOU).text == (text.strip() or None)
