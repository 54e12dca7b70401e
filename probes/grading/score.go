package grading

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// scoreParts is what a finalization would add up; it is never a column of the
// deployed system (facts, section 3, "final_score").
type scoreParts struct {
	annotations float64
	questions   float64
	answered    int      // question scores
	rows        []string // scores_data, JSON
}

func (p *scoreParts) readQuestions(rows pgx.Rows) error {
	_, err := pgx.ForEachRow(rows, []any{&p.answered, &p.questions}, func() error { return nil })
	return err
}

func (p *scoreParts) readScores(rows pgx.Rows) error {
	var data pgtype.Text
	_, err := pgx.ForEachRow(rows, []any{&data}, func() error {
		p.rows = append(p.rows, data.String)
		return nil
	})
	return err
}

// total gives the score in words, by the rule of the generation that the
// schema shows: from 02-11 the sum of scores_data where it is not empty, else
// annotations; before, annotations and question scores together.
func (p *scoreParts) total(s *Schema) (words string, known bool) {
	for _, data := range p.rows {
		sum, n, ok := sumScores(data)
		switch {
		case !ok:
			return "", false
		case n > 0:
			return number(sum) + " (question scores)", true
		}
	}
	if !s.Has(AnnCopy, AnnPoints) || s.Denied[tableQScore] || s.Denied[tableScore] {
		return "", false
	}
	if !s.Has(QScoreCopy, QScoreValue) {
		return number(p.annotations), true
	}
	return fmt.Sprintf("%s (annotations %s + questions %s)", number(p.annotations+p.questions), number(p.annotations), number(p.questions)), true
}

// sumScores adds up the values of scores_data as the application does: numbers
// and texts that hold one; empty texts and nulls count for nothing. n is the
// number of keys. ok is false where the application would fail.
func sumScores(data string) (sum float64, n int, ok bool) {
	var values map[string]any
	if json.Unmarshal([]byte(data), &values) != nil {
		return 0, 0, false
	}
	for _, v := range values {
		switch v := v.(type) {
		case float64:
			sum += v
		case string:
			if v = strings.TrimSpace(v); v != "" {
				f, err := strconv.ParseFloat(v, 64)
				if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
					return 0, 0, false
				}
				sum += f
			}
		case nil:
		default:
			return 0, 0, false
		}
	}
	return sum, len(values), true
}

// number writes points as people do: 14, 14.5, 14.25.
func number(f float64) string {
	return strconv.FormatFloat(math.Round(f*100)/100, 'f', -1, 64)
}
