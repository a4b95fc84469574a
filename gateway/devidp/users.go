// Package devidp is an OpenID Connect provider for development: sign in as any of a few made-up users, without a password.
// It exists so that a newcomer's network, the tests and the demonstration go through the same authorization-code flow that
// a city's real provider offers. It refuses to listen on anything but a loopback address.
//
// What it keeps: the signing key, in its data folder. Sign-ins under way are in memory and bounded; access tokens are
// JWTs and kept nowhere, so they end by themselves and cannot be revoked.
package devidp

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Roles a user or a program may have.
var (
	userRoles   = []string{"citizen", "officer", "agency_admin", "auditor"}
	clientRoles = append([]string{"portal"}, userRoles...)
)

// The clients every default provider has.
const (
	// ConsoleClient is public: the gateway's page to try the API, command-line programs and tests sign users in with it.
	ConsoleClient = "console"
	// PortalClient is a government portal that acts for itself (client credentials) and signs citizens in.
	PortalClient = "portal"
	// PortalSecret is its secret. It is printed here because a provider that anybody can sign in to has none to keep.
	PortalSecret = "portal-development-secret"
)

// DefaultAgencies are those of the default network, in the order users are listed.
var DefaultAgencies = []struct{ ID, Name string }{
	{"services.hall", "Government service hall"},
	{"services.police", "Public security"},
	{"planning.housing", "Planning and housing"},
	{"market.regulation", "Market regulation"},
	{"market.tax", "Taxation"},
	{"services.civil", "Civil affairs"},
	{"services.social", "Social security"},
	{"services.disabled", "Disabled persons' federation"},
	{"market.customs", "Customs"},
}

// DefaultPublishers are those of the default network that only publish datasets: each has an administrator and nobody else.
var DefaultPublishers = []struct{ ID, Name string }{
	{"services.general-office", "General Office of the Municipal Government"},
	{"planning.development", "Development and Reform Commission"},
	{"services.education", "Education Commission"},
	{"market.science", "Science and Technology Commission"},
	{"market.industry", "Bureau of Economy and Information Technology"},
	{"services.ethnic", "Ethnic and Religious Affairs Commission"},
	{"services.justice", "Justice Bureau"},
	{"market.finance-bureau", "Finance Bureau"},
	{"planning.natural-resources", "Commission of Planning and Natural Resources"},
	{"planning.environment", "Ecology and Environment Bureau"},
	{"planning.city-management", "City Management Commission"},
	{"planning.transport", "Transport Commission"},
	{"planning.water", "Water Authority"},
	{"planning.agriculture", "Agriculture and Rural Affairs Bureau"},
	{"market.commerce", "Commerce Bureau"},
	{"services.culture-tourism", "Culture and Tourism Bureau"},
	{"services.health", "Health Commission"},
	{"services.veterans", "Veterans Affairs Bureau"},
	{"planning.emergency", "Emergency Management Bureau"},
	{"services.audit", "Audit Bureau"},
	{"services.foreign-affairs", "Foreign Affairs Office"},
	{"market.state-assets", "State-owned Assets Supervision and Administration Commission"},
	{"services.radio-television", "Radio and Television Bureau"},
	{"services.heritage", "Cultural Heritage Administration"},
	{"services.sport", "Sports Bureau"},
	{"market.statistics", "Statistics Bureau"},
	{"planning.parks", "Gardening and Greening Bureau"},
	{"market.local-finance", "Local Financial Supervision and Administration"},
	{"planning.civil-defence", "Civil Air Defence Office"},
	{"services.petitions", "Petitions Office"},
	{"market.intellectual-property", "Intellectual Property Office"},
	{"services.medical-insurance", "Healthcare Security Administration"},
	{"market.drugs", "Medical Products Administration"},
	{"planning.land-reserve", "Land Consolidation and Reserve Centre"},
	{"planning.heavy-projects", "Major Construction Projects Office"},
	{"planning.law-enforcement", "Urban Management Law Enforcement Bureau"},
	{"market.zhongguancun", "Zhongguancun Science Park Administrative Committee"},
	{"market.yizhuang", "Economic-Technological Development Area Administrative Committee"},
	{"planning.tiananmen", "Tiananmen Area Administrative Committee"},
	{"planning.west-station", "Beijing West Railway Station Area Administrative Committee"},
	{"services.archives", "Archives Bureau"},
	{"services.press", "Press and Publication Bureau"},
	{"planning.meteorology", "Meteorological Bureau"},
	{"planning.earthquake", "Earthquake Agency"},
	{"market.postal", "Postal Administration"},
}

// DefaultUsers are three citizens, an officer and an administrator of every agency, the administrators of those that only
// publish, and an auditor. The citizens' names are made up; they live in this provider only.
func DefaultUsers() []User {
	users := []User{
		{ID: "citizen1", Name: "Zhou Minhua 周敏华", Role: "citizen"},
		{ID: "citizen2", Name: "Liang Jianguo 梁建国", Role: "citizen"},
		{ID: "citizen3", Name: "Xu Wenjing 徐文静", Role: "citizen"},
	}
	for i, agency := range DefaultAgencies {
		_, code, _ := strings.Cut(agency.ID, ".")
		users = append(users,
			User{ID: "officer." + code, Name: agency.Name + ", officer", Role: "officer", Agency: agency.ID, Staff: fmt.Sprintf("S%d001", i+1)},
			User{ID: "admin." + code, Name: agency.Name + ", administrator", Role: "agency_admin", Agency: agency.ID, Staff: fmt.Sprintf("S%d900", i+1)},
		)
	}
	for i, agency := range DefaultPublishers {
		_, code, _ := strings.Cut(agency.ID, ".")
		users = append(users, User{ID: "admin." + code, Name: agency.Name + ", administrator", Role: "agency_admin", Agency: agency.ID, Staff: fmt.Sprintf("P%02d900", i+1)})
	}
	return append(users,
		User{ID: "admin.office", Name: "Audit office, administrator", Role: "agency_admin", Agency: "audit.office", Staff: "S0900"},
		User{ID: "auditor", Name: "Audit office, auditor", Role: "auditor", Agency: "audit.office", Staff: "S0001"})
}

// DefaultClients are the console and the portal.
func DefaultClients() []Client {
	return []Client{
		{
			ID:                     ConsoleClient,
			RedirectURIs:           []string{"http://127.0.0.1/callback", "https://127.0.0.1/docs"},
			PostLogoutRedirectURIs: []string{"https://127.0.0.1/docs"},
		},
		{
			ID: PortalClient, Secret: PortalSecret, Role: "portal", Agency: "services.hall", Staff: "portal",
			RedirectURIs: []string{"http://127.0.0.1/callback", "https://127.0.0.1/callback"},
		},
	}
}

var (
	idForm     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	agencyForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}\.[a-z][a-z0-9-]{0,30}$`)
)

func checkUsers(users []User) error {
	if len(users) == 0 {
		return errors.New("users: at least one is needed")
	}
	seen := map[string]bool{}
	for i, u := range users {
		where := fmt.Sprintf("users[%d]", i)
		switch {
		case !idForm.MatchString(u.ID):
			return fmt.Errorf("%s.id: up to 64 letters, digits and . _ -", where)
		case seen[u.ID]:
			return fmt.Errorf("%s.id: used twice", where)
		case u.Name == "":
			return fmt.Errorf("%s.name: required", where)
		}
		seen[u.ID] = true
		if err := checkClaims(where, u.Role, u.Agency, userRoles); err != nil {
			return err
		}
	}
	return nil
}

func checkClients(clients []Client) error {
	seen := map[string]bool{}
	for i, c := range clients {
		where := fmt.Sprintf("clients[%d]", i)
		switch {
		case !idForm.MatchString(c.ID):
			return fmt.Errorf("%s.id: up to 64 letters, digits and . _ -", where)
		case seen[c.ID]:
			return fmt.Errorf("%s.id: used twice", where)
		case c.Role != "" && c.Secret == "" && c.Key == "":
			return fmt.Errorf("%s.secret: required of a client that obtains tokens for itself; or key", where)
		case c.Secret != "" && c.Key != "":
			return fmt.Errorf("%s.key: a client has a secret or a key, not both", where)
		}
		if c.Key != "" {
			if _, err := c.publicKey(); err != nil {
				return fmt.Errorf("%s.key: give a public key in PEM (PKIX)", where)
			}
		}
		seen[c.ID] = true
		for _, uri := range slices.Concat(c.RedirectURIs, c.PostLogoutRedirectURIs) {
			if u, err := url.Parse(uri); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
				return fmt.Errorf("%s.redirect_uris: each must be an absolute http or https address", where)
			}
		}
		if c.Role == "" {
			continue
		}
		if err := checkClaims(where, c.Role, c.Agency, clientRoles); err != nil {
			return err
		}
	}
	return nil
}

func checkClaims(where, role, agency string, roles []string) error {
	switch {
	case !slices.Contains(roles, role):
		return fmt.Errorf("%s.role: one of %s", where, strings.Join(roles, ", "))
	case role == "citizen" && agency != "":
		return fmt.Errorf("%s.agency: a citizen has none", where)
	case role != "citizen" && !agencyForm.MatchString(agency):
		return fmt.Errorf("%s.agency: required, as organisation.agency", where)
	}
	return nil
}

// people reads users and clients from their files, or gives the defaults.
func (c Config) people() ([]User, []Client, error) {
	users, clients := DefaultUsers(), DefaultClients()
	if c.Users != "" {
		var file struct {
			Users []User `yaml:"users"`
		}
		if err := decodeFile(c.Users, &file); err != nil {
			return nil, nil, err
		}
		users = file.Users
	}
	if c.Clients != "" {
		var file struct {
			Clients []Client `yaml:"clients"`
		}
		if err := decodeFile(c.Clients, &file); err != nil {
			return nil, nil, err
		}
		clients = file.Clients
	}
	if err := checkUsers(users); err != nil {
		return nil, nil, err
	}
	return users, clients, checkClients(clients)
}
