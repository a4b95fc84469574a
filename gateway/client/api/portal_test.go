package api_test

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"time"

	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/client/api"
)

// The functions below are the snippets of docs/how-to/write-a-client.md; TestSnippets holds the page to them.

// snippet: connect
func connect(ctx context.Context, address, issuer, id, secret string, pem []byte) (api.Gateway, error) {
	roots, err := client.Roots(pem)
	if err != nil {
		return api.Gateway{}, err
	}
	tokens, err := client.NewProvider(issuer, roots).Credentials(ctx, id, secret)
	if err != nil {
		return api.Gateway{}, err
	}
	c, err := client.New(address, roots, tokens)
	return api.Of(c), err
}

// snippet: apply
func apply(ctx context.Context, citizen api.Gateway, key *ecdsa.PrivateKey, answers map[string]any) (api.Applied, error) {
	draft, err := citizen.Draft(ctx, api.Draft{Service: "business.start"})
	if err != nil {
		return api.Applied{}, err
	}
	var request api.Apply
	if request.Form, err = commitment.New(answers); err != nil {
		return api.Applied{}, err
	}
	application := draft.Application
	if application.Form, err = request.Form.Root(); err != nil {
		return api.Applied{}, err
	}
	if request.Application, err = signed.Sign(key, collaboration.ApplicationKind, application); err != nil {
		return api.Applied{}, err
	}
	for _, terms := range draft.Consents {
		consent, err := signed.Sign(key, exchange.ConsentKind, terms)
		if err != nil {
			return api.Applied{}, err
		}
		request.Consents = append(request.Consents, consent)
	}
	return citizen.Apply(ctx, request, client.Key(draft.Key))
}

// snippet: refused
func explain(err error) string {
	var problem *client.Problem
	var pending *client.Pending
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &pending):
		return "accepted; its number is " + pending.Tx
	case errors.As(err, &problem) && problem.Reason == "collaboration.duplicate_application":
		return "you have an application for this service that is still open"
	case errors.As(err, &problem) && problem.Reason == "request.invalid":
		return fmt.Sprintf("please correct %s (%s)", problem.Field, problem.Rule)
	case errors.As(err, &problem):
		return problem.Detail
	}
	return "the gateway cannot be reached; what you sent was kept, and is sent again" // with the same key
}

// snippet: not-waiting
func revokeLater(ctx context.Context, officer api.Gateway, certificate, key string) (*client.Pending, error) {
	_, err := officer.Revoke(ctx, api.ChangeCertificate{ID: certificate, Reason: "ceased"}, client.Key(key), client.Async())
	var pending *client.Pending
	if errors.As(err, &pending) {
		return pending, nil // store it with the key, answer the user, and ask later
	}
	return nil, err
}

// snippet: resolve
func settle(ctx context.Context, officer api.Gateway, pending *client.Pending) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	outcome, err := officer.Resolve(ctx, pending)
	switch {
	case err != nil:
		return true, err // not known yet: ask again, or repeat the request with its key
	case outcome.State == "rejected":
		return outcome.Reason == "transaction.contention", nil // others were faster: repeat the request with its key
	}
	return false, nil
}

// snippet: read-your-writes
func taskAfter(ctx context.Context, officer api.Gateway, applied api.Applied) ([]collaboration.Task, error) {
	page, err := officer.Tasks(ctx, api.Tasks{Case: applied.ID, MinBlock: applied.Block})
	return page.Items, err
}

// snippet: pages
func everyTask(ctx context.Context, officer api.Gateway) (tasks []collaboration.Task, err error) {
	request := api.Tasks{Status: "pending", PageSize: 200}
	for {
		page, err := officer.Tasks(ctx, request)
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, page.Items...)
		if page.Next == "" {
			return tasks, nil
		}
		request.PageToken = page.Next
	}
}

// end of snippets

var _ = []any{connect, apply, explain, revokeLater, settle, taskAfter, everyTask}
