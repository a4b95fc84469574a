package rest

import (
	"net/http"

	"github.com/hutong-gov/hutong/gateway/app"
)

var auditors = []string{app.Auditor}

func auditRoutes(a *app.App) []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/v1/audit/channel", Roles: auditors, Handler: Handle(a.Head),
			Doc:     Doc{Tag: "audit", Summary: "Height and current hash", Detail: "Of the auditor's own peer."},
			Reasons: []string{"gateway.not_served"},
		},
		{
			Method: http.MethodGet, Path: "/v1/audit/blocks", Roles: auditors, Handler: Handle(a.Blocks),
			Doc:     Doc{Tag: "audit", Summary: "List blocks, newest first"},
			Reasons: []string{"gateway.not_served", "projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/audit/blocks/{number}", Roles: auditors, Handler: Handle(a.Block),
			Doc:     Doc{Tag: "audit", Summary: "Show a block, decoded", Detail: "Who signed and endorsed each transaction, what was asked for, what was written, what counts."},
			Reasons: []string{"block.missing", "gateway.not_served"},
		},
		{
			Method: http.MethodGet, Path: "/v1/audit/transactions/{id}", Roles: auditors, Handler: Handle(a.AuditedTransaction),
			Doc:     Doc{Tag: "audit", Summary: "Show a transaction, decoded"},
			Reasons: []string{"transaction.missing", "projection.differs", "gateway.not_served", "projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/audit/records/{noun}/{id}/history", Roles: auditors, Handler: Handle(a.History),
			Doc:     Doc{Tag: "audit", Summary: "Every state a record has had", Detail: "Asked of the contract on the auditor's own peer, newest first."},
			Reasons: []string{"noun.missing", "*.missing", "gateway.not_served"},
		},
		{
			Method: http.MethodGet, Path: "/v1/audit/statistics/uses", Roles: auditors, Handler: Handle(a.ExactStatistics),
			Doc:     Doc{Tag: "audit", Summary: "How often data is used, exactly", Detail: "`hutong audit statistics` gives the same numbers from the auditor's own blocks."},
			Reasons: []string{"request.too_large", "projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/audit/chain-check", Roles: auditors, Handler: Handle(a.CheckChain),
			Doc:     Doc{Tag: "audit", Summary: "Check the chain of hashes", Detail: "Reads the blocks of the auditor's own peer and computes every hash again. A broken chain is a result, not an error: the report names block and rule."},
			Reasons: []string{"gateway.not_served"},
		},
	}
}
