package app

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// MaxAnswerLength bounds an answer of the application form, in characters.
const MaxAnswerLength = 2000

// checkForm judges the answers of an application form against a service's questions. Faults name the question, never what
// was answered; what is no question is named by its place, for its name may be data.
func checkForm(questions []collaboration.Question, form commitment.Document) error {
	for i, field := range form.Fields {
		at := slices.IndexFunc(questions, func(q collaboration.Question) bool { return q.ID == field.Name })
		if at < 0 {
			return fault.Field(fmt.Sprintf("form.fields[%d].name", i), "one_of:questions", "answer only the questions the service asks")
		}
		if err := checkAnswer("form."+field.Name, questions[at], field.Value); err != nil {
			return err
		}
	}
	answers := form.Values()
	for _, q := range questions {
		if _, answered := answers[q.ID]; q.Required && !answered {
			return fault.Field("form."+q.ID, "required", "answer this question")
		}
	}
	return nil
}

func checkAnswer(field string, q collaboration.Question, raw json.RawMessage) error {
	wrong := fault.Field(field, "type:"+q.Type, "answer with the type the question asks for")
	switch q.Type {
	case "integer":
		var n int64
		if json.Unmarshal(raw, &n) != nil || n > canonical.MaxSafeInteger || n < -canonical.MaxSafeInteger {
			return wrong
		}
	case "boolean":
		if s := string(raw); s != "true" && s != "false" {
			return wrong
		}
	case "date":
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return wrong
		}
		if _, err := time.Parse(time.DateOnly, s); err != nil {
			return wrong
		}
	default:
		return checkText(field, q, raw, wrong)
	}
	return nil
}

func checkText(field string, q collaboration.Question, raw json.RawMessage, wrong error) error {
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return wrong
	}
	if *s == "" && q.Required {
		return fault.Field(field, "min_length:1", "answer this question")
	}
	if utf8.RuneCountInString(*s) > MaxAnswerLength {
		return fault.Field(field, fmt.Sprintf("max_length:%d", MaxAnswerLength), "make the answer shorter")
	}
	return nil
}
