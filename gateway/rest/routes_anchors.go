package rest

import (
	"net/http"

	"github.com/hutong-gov/hutong/gateway/anchor"
	"github.com/hutong-gov/hutong/gateway/app"
)

func anchorRoutes(a *app.App) []Route {
	return []Route{
		{
			Method: http.MethodPost, Path: "/v1/anchors", Roles: officers, Status: http.StatusCreated, Handler: Handle(a.CreateAnchor),
			Doc:     Doc{Tag: "anchors", Summary: "Anchor a batch of records", Detail: "The root of a Merkle tree over the next batch of a source. The records stay where they are. `hutong exchange anchor` reads files and databases, builds the trees and calls this."},
			Reasons: []string{"dataset.missing", "anchor.missing", "anchor.conflict", "access.other_agency", "exchange.dataset_withdrawn", "exchange.replaced_mismatch", "exchange.replaced_stands", "gateway.not_served"},
		},
		{
			Method: http.MethodGet, Path: "/v1/anchors", Roles: []string{app.Public}, Handler: Handle(a.Anchors),
			Doc:     Doc{Tag: "anchors", Summary: "List anchors", Detail: "Numbered without a gap in each dataset's series, and so are the records in them."},
			Reasons: []string{"projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/anchors/{id}", Roles: []string{app.Public}, Handler: Handle(a.Anchor),
			Doc:     Doc{Tag: "anchors", Summary: "Show an anchor"},
			Reasons: []string{"anchor.missing", "projection.behind"},
		},
		{
			Method: http.MethodPut, Path: "/v1/anchors/{id}/withdrawal", Roles: officers, Handler: Handle(a.WithdrawAnchor),
			Doc:     Doc{Tag: "anchors", Summary: "Withdraw an anchor", Detail: "For good. It stays with its reason; what is right is anchored anew."},
			Reasons: []string{"anchor.missing", "access.other_agency", "exchange.anchor_withdrawn", "idempotency.conflict", "gateway.not_served"},
		},
		{
			Method: http.MethodPost, Path: "/v1/anchors/{id}/verification", Roles: []string{app.Public}, Handler: Handle(a.VerifyInclusion),
			Doc: Doc{Tag: "anchors", Summary: "Verify the proof of a record", Detail: "Two findings: is the record in the batch whose root the ledger has, and does the anchor stand. " +
				"A proof discloses one record; nothing is kept of it. `hutong exchange verify` does the same without sending the record anywhere."},
			Reasons: []string{"anchor.missing"},
		},
		{
			Method: http.MethodPost, Path: "/v1/anchor-jobs", Roles: officers, Status: http.StatusCreated, Writes: Several, Handler: Handle(a.StartAnchorJob),
			Doc: Doc{Tag: "anchors", Summary: "Anchor the records of files or of a database", Detail: "Starts a job in the gateway, or resumes it: one of a dataset at a time. What was anchored before is not anchored again. " +
				"The gateway builds the trees and keeps what proofs need; the job's own transactions are signed in the agency's name."},
			Reasons: []string{"anchor.job_running", "access.other_agency", "file.missing", "connector.not_configured", "gateway.not_served"},
		},
		{
			Method: http.MethodGet, Path: "/v1/anchor-jobs", Roles: officers, Handler: Handle(a.AnchorJobs),
			Doc:     Doc{Tag: "anchors", Summary: "List my agency's jobs"},
			Reasons: []string{"gateway.not_served"},
		},
		{
			Method: http.MethodGet, Path: "/v1/anchor-jobs/{agency}/{code}", Roles: officers, Handler: Handle(a.AnchorJob),
			Stream:  Follow(a.FollowAnchorJob, Sends[anchor.Job]("", "How far it is; the last message is final.")),
			Doc:     Doc{Tag: "anchors", Summary: "Show how far a dataset's job is", Detail: "The one that runs, or else the last. Who accepts `text/event-stream` is told until it ends."},
			Reasons: []string{"job.missing", "access.other_agency", "gateway.not_served"},
		},
		{
			Method: http.MethodPut, Path: "/v1/anchor-jobs/{agency}/{code}/cancellation", Roles: officers, Writes: Nothing, Handler: Handle(a.StopAnchorJob),
			Doc:     Doc{Tag: "anchors", Summary: "Stop a dataset's job", Detail: "What is anchored stays anchored. Started again, the job goes on where it was."},
			Reasons: []string{"job.missing", "access.other_agency", "gateway.not_served"},
		},
		{
			Method: http.MethodPost, Path: "/v1/inclusion-proofs", Roles: officers, Writes: Nothing, Handler: Handle(a.Prove),
			Doc:     Doc{Tag: "anchors", Summary: "Get the proof of a record", Detail: "By its key. The proof discloses this record and nothing else; give it to whom it concerns."},
			Reasons: []string{"anchor.no_record", "anchor.not_yet", "access.other_agency", "gateway.not_served"},
		},
	}
}
