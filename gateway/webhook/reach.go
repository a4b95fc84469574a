package webhook

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Reach says where deliveries may go. Without anything set: to every public address. An owner of a webhook names its host;
// without bounds, they could have the gateway knock at doors that only it can reach.
type Reach struct {
	Hosts    []string       // the only hosts there may be; empty: any
	Networks []netip.Prefix // that may be reached although they are not public: the city's own
}

// special are the parts of the public ranges that lead elsewhere (IANA special-purpose registries).
var special = func() (all []netip.Prefix) {
	for _, text := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	} {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}()

// unicast is what of IPv6 is public at all.
var unicast = netip.MustParsePrefix("2000::/3")

// address says whether a delivery may go to an address.
func (r Reach) address(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	return slices.ContainsFunc(r.Networks, in) || (a.Is4() || in(unicast)) && !slices.ContainsFunc(special, in)
}

// errReach is why a connection was not made.
var errReach = errors.New("webhook: the receiver's address may not be reached")

// control refuses connections as they are made, when names are resolved: whatever a name stood for when it was registered.
func (r Reach) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %w", errReach, err)
	}
	if !r.address(to.Addr()) {
		return errReach
	}
	return nil
}

// Check judges an address that somebody wants to register. Fault: request.invalid on url.
func (r Reach) Check(address string) error {
	refuse := func(rule, do string) error { return fault.Field("url", rule, do) }
	u, err := url.Parse(address)
	switch {
	case len(address) > MaxURLLength:
		return refuse(fmt.Sprintf("max_length:%d", MaxURLLength), "register a shorter address")
	case err != nil || u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "":
		return refuse("https", "register an https address")
	case u.User != nil || u.Fragment != "":
		return refuse("plain_address", "leave out user, password and fragment; deliveries are signed instead")
	case len(r.Hosts) > 0 && !slices.ContainsFunc(r.Hosts, func(h string) bool { return strings.EqualFold(h, u.Hostname()) }):
		return refuse("allowed_host", "ask the gateway's operator to allow the host (webhooks.hosts)")
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && !r.address(a) {
		return refuse("allowed_address", "register a public address, or ask the gateway's operator to allow the network (webhooks.networks)")
	}
	return nil
}
