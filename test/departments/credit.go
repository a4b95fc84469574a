package departments

import (
	"fmt"
	"strings"
)

// creditAlphabet are the characters of a unified social credit code (GB 32100): no I, O, S, V, Z.
const creditAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// organisationAlphabet are those of the organisation code inside it (GB 11714).
const organisationAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

var organisationWeights = [8]int{3, 7, 9, 10, 5, 8, 4, 2}

// creditCode is the code of the n-th enterprise: registered by market regulation (9), an enterprise (1), district,
// organisation code with its check character, check character.
func creditCode(n int) string {
	body := fmt.Sprintf("MA%06d", n)
	code := "91" + fictional + body + organisationCheck(body)
	return code + creditCheck(code)
}

// organisationCheck is GB 11714's: modulo 11.
func organisationCheck(body string) string {
	sum := 0
	for i, c := range body {
		sum += strings.IndexRune(organisationAlphabet, c) * organisationWeights[i]
	}
	switch check := (11 - sum%11) % 11; check {
	case 10:
		return "X"
	default:
		return fmt.Sprint(check)
	}
}

// creditCheck is GB 32100's: weights are powers of 3, modulo 31.
func creditCheck(body string) string {
	sum, weight := 0, 1
	for _, c := range body {
		sum += strings.IndexRune(creditAlphabet, c) * weight
		weight = weight * 3 % 31
	}
	return string(creditAlphabet[(31-sum%31)%31])
}

// ValidCreditCode says whether a unified social credit code has the form and both the right check characters.
func ValidCreditCode(s string) bool {
	if len(s) != 18 || strings.Trim(s, creditAlphabet) != "" || strings.Trim(s[2:8], "0123456789") != "" {
		return false
	}
	return organisationCheck(s[8:16]) == s[16:17] && creditCheck(s[:17]) == s[17:]
}
