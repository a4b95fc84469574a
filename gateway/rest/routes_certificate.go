package rest

import (
	"net/http"

	"github.com/hutong-gov/hutong/gateway/app"
)

func certificateRoutes(a *app.App) []Route {
	return []Route{
		{
			Method: http.MethodPost, Path: "/v1/certificates/{id}/verification", Roles: []string{app.Public}, Handler: Handle(a.Verify),
			Doc: Doc{Tag: "certificates", Summary: "Verify a certificate", Detail: "Three answers, each yes, no or unknown: is the document what was issued (integrity), does it hold at the time asked about (status), was its issuer accredited (issuer). " +
				"They are never merged into one. Send the document, or its commitment alone."},
		},
		{
			Method: http.MethodGet, Path: "/v1/certificates", Roles: []string{app.Citizen, app.Officer, app.Auditor}, Handler: Handle(a.Certificates),
			Doc:     Doc{Tag: "certificates", Summary: "List certificates", Detail: "A citizen's own, those an officer's agency issued, all for an auditor."},
			Reasons: []string{"projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/certificates/{id}", Roles: []string{app.Citizen, app.Officer, app.Auditor}, Handler: Handle(a.Certificate),
			Doc:     Doc{Tag: "certificates", Summary: "Show a certificate", Detail: "As it is on the ledger, without its document: to its holder, the agency that issued it, auditors."},
			Reasons: []string{"certificate.missing", "access.other_agency", "projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/certificates/{id}/document", Roles: citizens, Handler: Handle(a.Document),
			Doc:     Doc{Tag: "certificates", Summary: "Get my certificate's document"},
			Reasons: []string{"certificate.missing", "sealed.missing", "sealed.cannot_open", "sealed.other_content", "neighbour.unreachable", "neighbour.unknown", "gateway.not_served", "projection.behind"},
		},
		{
			Method: http.MethodPost, Path: "/v1/certificates", Roles: officers, Status: http.StatusCreated, Handler: Handle(a.IssueCertificate),
			Doc:     Doc{Tag: "certificates", Summary: "Issue a certificate", Detail: "Outside of a case. The document is sealed to the portal, where the holder gets it."},
			Reasons: []string{"type.missing", "certificate.conflict", "certificate.not_accredited", "certificate.end_required", "certificate.validity_too_long", "certificate.already_expired", "exchange.no_portal", "exchange.agency_unregistered", "gateway.not_served"},
		},
		changeCertificate("revocation", "Revoke a certificate, for good", Handle(a.Revoke), "certificate.already_revoked"),
		changeCertificate("suspension", "Suspend a certificate", Handle(a.Suspend), "certificate.already_revoked", "certificate.already_suspended"),
		changeCertificate("reinstatement", "Reinstate a suspended certificate", Handle(a.Reinstate), "certificate.already_revoked", "certificate.not_suspended"),
		{
			Method: http.MethodGet, Path: "/v1/certificate-types", Roles: []string{app.Public}, Handler: Handle(a.CertificateTypes),
			Doc:     Doc{Tag: "certificate types", Summary: "List types of certificates"},
			Reasons: []string{"projection.behind"},
		},
		{
			Method: http.MethodPost, Path: "/v1/certificate-types", Roles: admins, Status: http.StatusCreated, Handler: Handle(a.PublishType),
			Doc:     Doc{Tag: "certificate types", Summary: "Publish a type", Detail: "The administrator's agency becomes its authority."},
			Reasons: []string{"type.conflict", "gateway.not_served"},
		},
		{
			Method: http.MethodGet, Path: "/v1/certificate-types/{code}/accreditations", Roles: []string{app.Public}, Handler: Handle(a.Accreditations),
			Doc:     Doc{Tag: "certificate types", Summary: "List who may issue a type"},
			Reasons: []string{"projection.behind"},
		},
		{
			Method: http.MethodPut, Path: "/v1/certificate-types/{code}/accreditations/{agency}", Roles: admins, Handler: Handle(a.Accredit),
			Doc:     Doc{Tag: "certificate types", Summary: "Accredit an agency"},
			Reasons: []string{"type.missing", "access.other_agency", "accreditation.conflict", "certificate.accreditation_over", "gateway.not_served"},
		},
		{
			Method: http.MethodPut, Path: "/v1/certificate-types/{code}/accreditations/{agency}/withdrawal", Roles: admins, Handler: Handle(a.WithdrawAccreditation),
			Doc:     Doc{Tag: "certificate types", Summary: "Withdraw an accreditation", Detail: "What was issued before stays issued."},
			Reasons: []string{"accreditation.missing", "access.other_agency", "certificate.accreditation_withdrawn", "idempotency.conflict", "gateway.not_served"},
		},
	}
}

// changeCertificate is a row for a change by the issuer.
func changeCertificate(what, summary string, handler Handler, reasons ...string) Route {
	return Route{
		Method: http.MethodPut, Path: "/v1/certificates/{id}/" + what, Roles: officers, Handler: handler,
		Doc:     Doc{Tag: "certificates", Summary: summary},
		Reasons: append(reasons, "certificate.missing", "access.other_agency", "idempotency.conflict", "gateway.not_served"),
	}
}
