// Command promql evaluates expressions of Prometheus with Prometheus' own engine, over samples that it is given.
//
// It reads one JSON object from its standard input: {"expressions": ["..."], "at": ms, "lookback": ms, "series":
// [{"labels": {...}, "samples": [[ms, value], ...]}]}; a series without a sample within the lookback is gone. It prints
// one line of JSON for each expression: {"error", "metrics", "result"};
// metrics are the names that the expression asks for, result is [{"labels", "value"}], a scalar having no labels.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

type task struct {
	Expressions []string `json:"expressions"`
	At          int64    `json:"at"`
	Lookback    int64    `json:"lookback"`
	Series      []series `json:"series"`
}

type series struct {
	Labels  map[string]string `json:"labels"`
	Samples [][2]float64      `json:"samples"`
}

type answer struct {
	Error   string   `json:"error"`
	Metrics []string `json:"metrics"`
	Result  []value  `json:"result"`
}

// value has its number as text, as JSON knows no NaN and no infinity.
type value struct {
	Labels map[string]string `json:"labels"`
	Value  string            `json:"value"`
}

type point struct {
	t int64
	f float64
}

func (p point) T() int64                      { return p.t }
func (p point) ST() int64                     { return 0 }
func (p point) F() float64                    { return p.f }
func (p point) H() *histogram.Histogram       { return nil }
func (p point) FH() *histogram.FloatHistogram { return nil }
func (p point) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (p point) Copy() chunks.Sample           { return p }

type set struct {
	rest []storage.Series
	now  storage.Series
}

func (s *set) Next() bool {
	if len(s.rest) == 0 {
		return false
	}
	s.now, s.rest = s.rest[0], s.rest[1:]
	return true
}
func (s *set) At() storage.Series                { return s.now }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "promql:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	var asked task
	if err := json.NewDecoder(in).Decode(&asked); err != nil {
		return err
	}
	reader := parser.NewParser(parser.Options{})
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples:           1_000_000,
		Timeout:              30 * time.Second,
		LookbackDelta:        time.Duration(asked.Lookback) * time.Millisecond,
		EnableAtModifier:     true,
		EnableNegativeOffset: true,
		Parser:               reader,
	})
	stored := storage.MockQueryable{MockQuerier: &storage.MockQuerier{SelectMockFunction: memory(asked.Series)}}
	encoder := json.NewEncoder(out)
	for _, expression := range asked.Expressions {
		if err := encoder.Encode(evaluate(engine, reader, &stored, expression, time.UnixMilli(asked.At))); err != nil {
			return err
		}
	}
	return nil
}

func memory(given []series) func(bool, *storage.SelectHints, ...*labels.Matcher) storage.SeriesSet {
	return func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
		found := &set{}
		for _, one := range given {
			if !fits(one.Labels, matchers) {
				continue
			}
			samples := make([]chunks.Sample, 0, len(one.Samples))
			for _, sample := range one.Samples {
				samples = append(samples, point{int64(sample[0]), sample[1]})
			}
			found.rest = append(found.rest, storage.NewListSeries(labels.FromMap(one.Labels), samples))
		}
		slices.SortFunc(found.rest, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
		return found
	}
}

func fits(given map[string]string, matchers []*labels.Matcher) bool {
	for _, matcher := range matchers {
		if !matcher.Matches(given[matcher.Name]) {
			return false
		}
	}
	return true
}

func evaluate(engine *promql.Engine, reader parser.Parser, from storage.Queryable, text string, at time.Time) answer {
	said := answer{Metrics: []string{}, Result: []value{}}
	expression, err := reader.ParseExpr(text)
	if err != nil {
		said.Error = err.Error()
		return said
	}
	parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok && !slices.Contains(said.Metrics, selector.Name) {
			said.Metrics = append(said.Metrics, selector.Name)
		}
		return nil
	})
	query, err := engine.NewInstantQuery(context.Background(), from, promql.NewPrometheusQueryOpts(false, 0, nil), text, at)
	if err != nil {
		said.Error = err.Error()
		return said
	}
	defer query.Close()
	result := query.Exec(context.Background())
	if result.Err != nil {
		said.Error = result.Err.Error()
		return said
	}
	switch found := result.Value.(type) {
	case promql.Vector:
		for _, sample := range found {
			said.Result = append(said.Result, value{sample.Metric.Map(), number(sample.F)})
		}
	case promql.Scalar:
		said.Result = append(said.Result, value{map[string]string{}, number(found.V)})
	default:
		said.Error = fmt.Sprintf("a %s is no answer for a panel or an alert", result.Value.Type())
	}
	return said
}

func number(f float64) string {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return fmt.Sprint(f)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}
