package rest

// chineseTags are the groups of routes as the page's headings name them in Chinese; the words are the glossary's.
var chineseTags = map[string]string{
	"anchors":           "锚定",
	"agencies":          "部门",
	"datasets":          "数据目录",
	"requirements":      "要件与证明",
	"grants":            "数据授权",
	"services":          "服务事项",
	"subjects":          "主体",
	"cases":             "办件",
	"consents":          "授权同意",
	"codes":             "一次性授权码",
	"tasks":             "待办任务",
	"uses":              "用数",
	"sealed uses":       "封存用数",
	"subscriptions":     "变更订阅",
	"certificates":      "电子证照",
	"certificate types": "证照类型",
	"audit":             "审计",
	"between gateways":  "网关之间",
	"transactions":      "交易",
	"events":            "事件",
	"webhooks":          "事件推送",
	"offline signing":   "离线签名",
	"verifications":     "核验",
}
