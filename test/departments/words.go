package departments

import (
	"fmt"
	"math/rand/v2"
)

// word is a character or syllable group with its romanisation.
type word struct{ zh, en string }

var surnames = []word{
	{"王", "Wang"}, {"李", "Li"}, {"张", "Zhang"}, {"刘", "Liu"}, {"陈", "Chen"}, {"杨", "Yang"}, {"赵", "Zhao"}, {"黄", "Huang"},
	{"吴", "Wu"}, {"孙", "Sun"}, {"胡", "Hu"}, {"朱", "Zhu"}, {"高", "Gao"}, {"林", "Lin"}, {"何", "He"}, {"郭", "Guo"},
	{"马", "Ma"}, {"罗", "Luo"}, {"宋", "Song"}, {"郑", "Zheng"}, {"谢", "Xie"}, {"韩", "Han"}, {"唐", "Tang"}, {"冯", "Feng"},
	{"欧阳", "Ouyang"}, {"司马", "Sima"}, {"诸葛", "Zhuge"}, {"上官", "Shangguan"},
}

var given = []word{
	{"伟", "wei"}, {"芳", "fang"}, {"娜", "na"}, {"秀", "xiu"}, {"敏", "min"}, {"静", "jing"}, {"丽", "li"}, {"强", "qiang"},
	{"磊", "lei"}, {"军", "jun"}, {"洋", "yang"}, {"勇", "yong"}, {"艳", "yan"}, {"杰", "jie"}, {"娟", "juan"}, {"涛", "tao"},
	{"明", "ming"}, {"超", "chao"}, {"兰", "lan"}, {"霞", "xia"}, {"平", "ping"}, {"刚", "gang"}, {"桂", "gui"}, {"英", "ying"},
	{"华", "hua"}, {"玉", "yu"}, {"红", "hong"}, {"梅", "mei"}, {"鹏", "peng"}, {"宁", "ning"}, {"雪", "xue"}, {"晨", "chen"},
}

var streets = []string{
	"槐树胡同", "灯市东街", "柳荫巷", "鼓楼北里", "银杏大街", "雨儿西路", "石榴院路", "东水井胡同", "竹竿南巷", "百花里",
}

var districts = []string{"东城区", "西城区", "朝阳区", "海淀区", "丰台区", "通州区", "大兴区"}

var uses = []string{"commercial", "residential", "residential", "industrial"}

func name(r *rand.Rand) (zh, en string) {
	family, first := surnames[r.IntN(len(surnames))], given[r.IntN(len(given))]
	zh, en = family.zh+first.zh, family.en+" "+capital(first.en)
	if r.IntN(3) > 0 {
		second := given[r.IntN(len(given))]
		zh, en = zh+second.zh, en+second.en
	}
	return zh, en
}

func capital(s string) string { return string(s[0]-'a'+'A') + s[1:] }

func address(r *rand.Rand) string {
	return fmt.Sprintf("%s%s%d号%d室", districts[r.IntN(len(districts))], streets[r.IntN(len(streets))], 1+r.IntN(220), 101+r.IntN(1900))
}

// trade is what an enterprise does: a word of its name, and its scope of business.
type trade struct{ word, scope string }

var trades = []trade{
	{"科技", "软件开发；技术咨询"}, {"餐饮管理", "餐饮服务；食品销售"}, {"商贸", "日用百货批发、零售"}, {"建筑工程", "施工总承包；建筑材料销售"},
	{"医疗器械", "第二类医疗器械销售"}, {"文化传媒", "组织文化艺术交流活动；广告设计"}, {"物流", "普通货运；仓储服务"}, {"机械制造", "通用设备制造；维修"},
}

var brands = []string{"瑞", "和", "盛", "泰", "安", "信", "达", "嘉", "兴", "隆", "源", "恒", "博", "远", "诚", "鼎"}

// form is a legal form, and how a name of it ends.
type form struct{ kind, suffix string }

var forms = []form{{"limited", "有限公司"}, {"limited", "有限责任公司"}, {"sole", "（个人独资）"}, {"partnership", "合伙企业（普通合伙）"}}

var grades = []string{"A", "A", "B", "B", "B", "M", "C", "D"}

// goods are what is imported: tariff number and name.
type goods struct{ hs, zh string }

var imports = []goods{
	{"8471300000", "便携式自动数据处理设备"}, {"9018193090", "病员监护仪"}, {"2204210000", "小包装葡萄酒"}, {"8708409990", "车辆变速箱零件"},
	{"0306179000", "冻虾"}, {"3004909099", "混合药品"}, {"8542319000", "处理器及控制器"},
}

var countries = []string{"DE", "JP", "KR", "FR", "IT", "US", "AU", "BR"}
