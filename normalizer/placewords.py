"""Words by which places are told in a text. Compared with folded text; lists, no logic."""


def _words(lines: str) -> tuple[str, ...]:
    return tuple(lines.split())


ROAD, ESTATE, LANDMARK, TOWN = "road", "estate", "landmark", "town"
DIVISION, BUILDING = "division", "building"

#: What ends a name of a place, by kind.
ENDINGS = {
    ROAD: _words("""
        高速公路 高速 国道 省道 县道 快速路 环路 公路 大道 大街 街 路 巷 胡同 里弄 弄堂 高架 高架桥 立交 立交桥 大桥 隧道
        东环 西环 南环 北环 中环 一环 二环 三环 四环 五环 六环
    """),
    TOWN: _words("街道 镇 乡"),
    ESTATE: _words("""
        小区 花园 花苑 家园 公寓 别墅 新村 山庄 家属院 家属楼 宿舍 宿舍楼 大院 苑 公馆 豪庭 华庭 名邸 华府 名城 新城 社区
        村 庄 屯 寨 国际 广场 大厦 商城 商场 写字楼 购物中心
    """),
    LANDMARK: _words("""
        医院 卫生院 学校 小学 中学 大学 学院 幼儿园 公园 火车站 高铁站 汽车站 客运站 地铁站 公交站 车站 机场 服务区 收费站
        加油站 工业园 产业园 化工园 科技园 物流园 工业区 开发区 园区 水库 景区 超市 酒店 宾馆 体育场 体育馆 图书馆 博物馆
        文化馆 水厂 电厂 码头 大坝 水坝 派出所 政府 敬老院 养老院 福利院 影城 影院 夜市 工地 东站 西站 南站 北站 农贸市场
        批发市场 河里 河边 河中 河堤 河岸 湖里 湖边 蔬菜市场 水果市场 建材市场 家具市场 花鸟市场 菜市场 大市场
    """),
    BUILDING: _words("号楼 栋 幢 #楼"),
}
#: Words that hold such an ending and name no place.
SKIPPED = _words("""
    道路 线路 铁路 走路 电路 网路 思路 出路 套路 半路 末路 回路 销路 退路 让路 修路 堵路 赶路 跑路 迷路 顺路 路线 路灯
    路过 路人 路费 路况 路障 路面 马路 街坊 街道路 乡镇 城镇 城乡 乡村 农村 家乡 老乡 故乡 乡亲
    村委 村民 村干 村支 村书 村霸 村级 村务 村部 村集 村主 村长 村妇 村容 村规 庄稼 庄严 国际上 国际化 社区工 社区书 社区干
    社区主 社区医 社区卫 高速铁路 高速发展 幢幢 栋栋 断头路 村道 乡道 新乡 景德镇 宁乡 萍乡 桐乡
""")
#: What comes before 马路 where that is a road's name (白马路), not any road.
HORSES = frozenset("白天饮金洗石骏铁五八")
#: Endings after which a name runs on: 人民医院路, 东郭村小区.
RUNS_ON = _words("""
    路 街 巷 镇 乡 大道 小区 社区 家园 新村 花园 公寓 公司 居委 东街 西街 南街 北街 中街 东路 西路 南路 北路 中路
""")
#: What may stand between two parts of one address.
JOINTS = frozenset(
    (
        *("", " ", ", "),
        *_words("""
            , · 、 - ( ) : 与 和 跟 及 同 至 到 交 近 上 口 的 上的 里 里的 里面 里面的 内 内的 下面的 旁的 旁边的 附近的 对面的
            门口的 路口的 边 边的 边上的 那边的 这边的 靠近 交叉 转 辖区 辖区内 境内 境内的 一 某
        """),
    )
)
#: Characters that no name of a place holds.
STOPS = frozenset(
    "的了在我你您他她它快们是这那从去把被给让请叫就都也还很没说到与及或着吗呢吧啊呀哦嘛哎喂个每但而且因以已又再才只想刚"
    "咱俺哪谁么什怎为对找问往由跟至等并有不该如若之其于此哋啲嘅喺佢"
)
#: Words right before a name that are no part of it.
LEADS = _words("""
    家住 人住 住 地址 位置 坐落 地点 名称 关于 反映 投诉 举报 建议 咨询 麻烦 来到 过来 前来 上来 出来 下来 进来 起来 回来 点来
    路过 经过 途经 附近 旁边 对面 门口 发生 看见 看看 发现 靠近 临近 沿着 整条 整个 全体 业主 居民 村民 市民反映 市民称 本人 现居
    现住 居住 租住 租房 快点来 快来 快派 快点 赶紧来 赶紧 赶快 今天 昨天 昨晚 刚才 早上 晚上 下午 上午 中午 凌晨 夜里 半夜 最近 近期
    近日 目前 现在 尊敬 领导 同志 书记 市长 您好 你好 希望 要求 导致 造成 影响 开发商 物业 公司 房子 买房 购买 规范 维护 通过
    处理 解决 落实 重视 关注 依托 进入 就读 占用 取消 增加 加强 实名 严重 打击 询问 请求 恳请 核实 查处 整治 尽快 尽早 及时 一下
    管理 施工 全国 国家 难道 知道 同时 当时 后来 原来 一名 普通 需要 关心 支持 无法 自己 进出 前面 后面 里面 楼上 楼下 咨询下 救命
    掉进 掉到 掉在 跳进 跳到 跳 落入 跌入 一直 隔壁 就近 来自 途径 入住 坐标 定位 人在 求助 急 下雨
""")
#: What stands before an ending without making a name of it.
GENERIC = frozenset(
    _words("""
        老旧 老 旧 新 新建 本 全 各 同 同一 一 两 几 多 高档 高端 小 大 住宅 生活 商业 封闭 开放 开放式 自然 行政 贫困 上 下 里 内 外
        前 后 左 右 东 西 南 北 中 周边 周围 隔壁 楼下 小区 社区 村 镇 家 过 盲 人行 步行 小吃 美食 逛 临 主 主干 次干 支 辅 匝
        沿街 背街 深 穿 集 市 县 区 省 学校 儿童 孩子 小孩 民办 公办 私立 公立 重点 定点 非定点 三甲 动物 宠物 大型 小型 中型 国内
        国外 海外 城市 当地 地方 各级 上级 下级 两级 三级 基层 市区 县区 停车 公共 便民 家属 员工 学生 职工 教师 单位 建筑 装修
        拆迁 在建 部分 相关 无良 黑心 用户 百姓 老百姓 平时 二 三 四 五 六 条 满 段 一段 城中 空心 文明 美丽 特色 重 贵 双 火 客运
        公交 停 港 旧城 高等 职业 专科 一所 一家 一座 一处 几所 几家 特殊 初级 高级 完全 乡间 硬化 柏油 水泥 沥青 泥巴 砂石 烂泥
        二级 一级 高速 快速 绕行 消防 应急 隔离 邻 外地 我市 全市 本市 俩 跨海 跨江 长 危 拦河 医 电 骨科 综合 私人 社会 农民 村民
        居民 封控 考 老家 别人 旁 公 成人 培训 女生 男生 学区 休闲 高中 初中 建房 正规 民 惠民 县城 城里 镇上 村里 乡下 房 厂房 商住
        整 省道 道 门前 屋后 门口 对面 附近 旁边 前面 后面 路边 长途 三轮 首诊 原本 时候 大街小 走街串 一进 进 出 村道 乡道 断头 各大 某 某某 某个 市民
        乡镇 阿拉 上班 下班 放学 上学 回家 开车 骑车 游乐 急救 救护 警察 楼 门 车 人 打 打开 天 水 火葬 加 充电 交通 城管
    """)
)
#: Kinds of landmark that a division has one of, so that its own name is enough: 埇桥区政府.
OF_A_DIVISION = frozenset(
    _words("""
        医院 政府 火车站 高铁站 汽车站 客运站 机场 图书馆 博物馆 体育场 体育馆 学院 大学 中学 东站 西站 南站 北站 大厦 广场 宾馆
    """)
)
#: Kinds of landmark that a city has one of.
ONE_OF_A_CITY = frozenset(_words("火车站 高铁站 汽车站 客运站 机场"))
#: What shows that a town hall is a place, not an office that is spoken of.
AT_HALLS = _words("门 大门 大院 广场 对面 附近 旁 东门 西门 南门 北门")
#: Endings that one character makes a name with: 李村.
ONE_CHARACTER = frozenset(_words("村 庄 屯 寨 巷 苑 河里 河边 河中 河堤 河岸 湖里 湖边"))
#: Roads named by a number or letters.
NUMBERED = frozenset(_words("国道 省道 县道 高速 高速公路"))
#: What announces an address.
BEFORE = _words("在 位于 住 地址 : 地点 就是 坐标 定位")

#: Short names of divisions that are ordinary words or parts of such; taken for divisions only
#: right after the name of a greater one.
ORDINARY = frozenset(
    _words("""
        和平 新华 长安 解放 平安 公安 通道 安定 光明 东方 方正 大方 中方 同心 安居 高明 新建 兴业 永定 日照 白银 来宾 大同 长治 安康
        阿里 黄山 中山 城关 新城 市中 城中 城东 城西 城北 城南 河东 河西 江东 江北 湖滨 东区 西区 南区 北区 向阳 前进 红旗 五星
        东风 友好 龙华 龙湖 南山 西湖 东湖 南湖 白云 青山 金山 宝山 东山 西山 北关 南关 东城 西城 南城 老城 吉利 团结 民主 建设
        青年 文化 开发 高新 中心 新区 矿区 林区 郊区 城区 互助 大化 大通 化隆 民和 永和 太和 安全 宁静 广场 中站 山城 山阳 路桥
        路南 路北 桥东 桥西 海港 海州 城厢 太平 清河 银州 工农 南开 河口 大兴 兴安 平原 金台 金川 长白 长青 双桥 振兴 振安 西安
        站前 江岸 港口 凤凰 正定 高邑 无极 定安 平度 平和 南部 中江 大姚 安乐 建安 元宝 万全 丰满 永清 三河 大厂 蓝天 望城 平乐
    """)
)
#: Full names of divisions that are ordinary words as well: 老城区 is any old town.
WEAK = frozenset(
    _words("""
        城区 郊区 矿区 东区 西区 南区 北区 中区 新城区 市中区 城中区 城东区 城西区 城北区 老城区 东城区 西城区 市南区 市北区 城关区
        中原区 南山区 东山区 应城市 项城市 海城市 兴城市 肥城市 韩城市 凤城市 荣成市 开发区 新市区 通道县 公安县 和县 应县 成县 新县 古县 单县 道县 理县 高县 文县 随县 临县 容县 环县 息县 易县 兴县 义县 南县
        代县 青县 荣县 富县 康县 云县 房县 费县 索县 寿县 范县 佳县 礼县 景县 威县 献县 无极县 平安区 新区
    """)
)
#: Short names of cities and provinces that often arise across two words (路上海鲜, 今天水压, 大厦门口,
#: 汴河南岸); taken for divisions only after a word boundary.
ACROSS = frozenset(
    _words("""
        上海 天水 南阳 保定 厦门 营口 四平 三明 南通 西安 新乡 江门 大连 河南 河北 湖南 湖北 山东 山西 江西 海南 海北 海东 海西 长春
        大庆 海口 中卫 东营 开封 南充 南平 黄石 烟台 包头 大理 普洱 河源 河池 北海 三亚 白山 白城 通化 安阳 信阳 云南 广西 广东 甘南
        黄南 山南 淮南 淮北 湘西 黔南 红河 黑河 内江 眉山 乐山 鞍山 本溪 金华 金昌 文山 天门 昌都 新余 玉林 百色 定西 常德 宁德
    """)
)
#: What follows those names in words that are no division.
CONTINUED = {
    **dict.fromkeys(("大理",), ("石",)),
    "新乡": ("村", "镇"),
    "四平": ("方", "米"),
    "南通": ("道",),
    "西安": ("置", "全"),
    "三明": ("确",),
    "普洱": ("茶",),
    "哈密": ("瓜",),
    "金华": ("火腿",),
    "阿里": ("巴", "云"),
    "上海": ("鲜", "报"),
    "南充": ("电",),
    "南阳": ("台",),
    "厦门": ("口",),
    "江门": ("口",),
    "营口": ("罩",),
    "中卫": ("生",),
    "大连": ("锁", "接", "续"),
    "长春": ("节",),
    "南平": ("房",),
    "黄石": ("头",),
    "保定": ("期",),
    "日照": ("时", "充", "不足"),
    "东营": ("业",),
    "安康": ("杯",),
    "天水": ("压", "费", "管"),
    "海口": ("味",),
    "河源": ("头",),
    "通化": ("粪",),
    "开封": ("条", "口", "路"),
}
#: What follows a division's name where it is only part of another name, or says whence someone is.
NOT_A_PLACE = _words("""
    人 籍 话 菜 牌 方向 口音 时间 拉面 板面 牛肉面 烤鸭 板鸭 烧烤 料理 大众 现代 通用 银行 日报 晚报 户口 户籍 来的 出发
""")
#: What follows a short name where both together are another name: 和平小区, 长安镇.
ANOTHER_NAME = _words("""
    街道 镇 乡 村 庄 小区 花园 新村 广场 大厦 家园 公寓 酒店 宾馆 饭店 商城 商场 公园 桥 大桥 号 弄 里弄 社区 小学 中学 幼儿园
    一号 府 城 苑 湾
""")
#: Characters after which a word begins.
BOUNDARY = frozenset(
    "的在到是我们你您他她从去来住于给由向往请让问对叫咱俺市省区县州旗和与及或跟同距离至回赴抵飞驻为但而且因被把就都也还没"
    "自不了过着将比如像按据称属原现找查询报说坐地年月日号家"
)
