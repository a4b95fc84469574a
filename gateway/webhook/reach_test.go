package webhook

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

func TestAddressesThatMayBeReached(t *testing.T) {
	city := Reach{Networks: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("fd00:20::/32")}}
	for text, want := range map[string][2]bool{ // without anything set, and for a city with a network of its own
		"8.8.8.8":          {true, true},
		"2606:4700::1111":  {true, true},
		"::ffff:8.8.8.8":   {true, true},
		"10.20.3.4":        {false, true},
		"::ffff:10.20.3.4": {false, true},
		"10.21.0.1":        {false, false},
		"fd00:20::7":       {false, true},
		"fd00:21::7":       {false, false},
		"127.0.0.1":        {false, false},
		"::1":              {false, false},
		"::ffff:127.0.0.1": {false, false},
		"::127.0.0.1":      {false, false},
		"0.0.0.0":          {false, false},
		"::":               {false, false},
		"169.254.169.254":  {false, false}, // a cloud's metadata
		"fd00:ec2::254":    {false, false}, // likewise
		"fe80::1%eth0":     {false, false},
		"192.168.1.1":      {false, false},
		"172.31.255.255":   {false, false},
		"172.32.0.1":       {true, true},
		"100.64.0.1":       {false, false},
		"224.0.0.1":        {false, false},
		"255.255.255.255":  {false, false},
		"ff02::1":          {false, false},
		"64:ff9b::7f00:1":  {false, false}, // 127.0.0.1 behind a translator
		"2002:7f00:1::":    {false, false}, // 127.0.0.1 in 6to4
		"2001:0:1::":       {false, false}, // Teredo
		"2001:db8::1":      {false, false},
	} {
		a := netip.MustParseAddr(text)
		require.Equal(t, want, [2]bool{Reach{}.address(a), city.address(a)}, text)
	}
	require.ErrorIs(t, Reach{}.control("tcp", "127.0.0.1:443", nil), errReach)
	require.ErrorIs(t, Reach{}.control("tcp", "nonsense", nil), errReach)
	require.NoError(t, Reach{}.control("tcp", "[2606:4700::1111]:443", nil))
}

func TestAddressesThatMayBeRegistered(t *testing.T) {
	city := Reach{Hosts: []string{"portal.example", "10.0.0.7"}, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}}
	for address, rules := range map[string][2]string{ // of no configuration, and of the city's
		"https://portal.example/hooks?a=b":                   {"", ""},
		"https://PORTAL.example:8443":                        {"", ""},
		"https://other.example":                              {"", "allowed_host"},
		"https://10.0.0.7/":                                  {"allowed_address", ""},
		"https://127.0.0.1/":                                 {"allowed_address", "allowed_host"},
		"https://[::1]/":                                     {"allowed_address", "allowed_host"},
		"https://8.8.8.8/":                                   {"", "allowed_host"},
		"http://portal.example":                              {"https", "https"},
		"portal.example":                                     {"https", "https"},
		"https:portal.example":                               {"https", "https"},
		"https://":                                           {"https", "https"},
		"https://:443/":                                      {"https", "https"},
		"https://user@portal.example":                        {"plain_address", "plain_address"},
		"https://user:secret@portal.example":                 {"plain_address", "plain_address"},
		"https://portal.example/#x":                          {"plain_address", "plain_address"},
		"https://portal.example/%zz":                         {"https", "https"},
		"https://portal.example/" + strings.Repeat("x", 500): {"max_length:512", "max_length:512"},
	} {
		for i, reach := range []Reach{{}, city} {
			err := reach.Check(address)
			if rules[i] == "" {
				require.NoError(t, err, address)
				continue
			}
			f := new(fault.Fault)
			require.ErrorAs(t, err, &f, address)
			require.Equal(t, []string{"url", rules[i]}, []string{f.Field, f.Rule}, address)
			require.NotContains(t, err.Error(), "secret")
		}
	}
}
