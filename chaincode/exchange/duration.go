package exchange

import (
	"regexp"
	"strconv"
	"time"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Duration is an ISO 8601 duration, in the form of RFC 3339, appendix A, with at most four digits each: P1Y6M, P30D, PT15M.
type Duration string

var durationForm = regexp.MustCompile(`^P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,4})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,4})M)?(?:(\d{1,4})S)?)?$`)

// checkDuration checks the form of a duration that may be absent.
func checkDuration(field string, d Duration) error {
	if d == "" {
		return nil
	}
	last := d[len(d)-1]
	if !durationForm.MatchString(string(d)) || last == 'P' || last == 'T' || d.After(time.Time{}).IsZero() {
		return fault.Field(field, "format:duration", "send an ISO 8601 duration above zero, such as P30D or PT15M")
	}
	return nil
}

// After is the time a duration after another, by the calendar of UTC. A duration that is absent is over at once.
func (d Duration) After(t time.Time) time.Time {
	parts := durationForm.FindStringSubmatch(string(d))
	if parts == nil {
		return t
	}
	var n [7]int
	for i := range n {
		n[i], _ = strconv.Atoi(parts[i+1]) // digits or nothing
	}
	return t.UTC().AddDate(n[0], n[1], 7*n[2]+n[3]).
		Add(time.Duration(n[4])*time.Hour + time.Duration(n[5])*time.Minute + time.Duration(n[6])*time.Second)
}
