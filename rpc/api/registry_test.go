// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var namespaces = strings.Fields("node chain tx faucet account dataset datanet licence model task compute infer poa channel admin")

func TestRegistry(t *testing.T) {
	name := regexp.MustCompile(`^[a-z]+_[a-z][a-zA-Z]*$`)
	seen := map[string]bool{}
	for _, m := range Methods() {
		switch {
		case seen[m.Name]:
			t.Errorf("%s is there twice", m.Name)
		case !name.MatchString(m.Name) || !slices.Contains(namespaces, m.Namespace()):
			t.Errorf("%s is in no known namespace", m.Name)
		case !slices.Contains([]Perm{Read, Infer, Submit, Sign, Admin}, m.Perm):
			t.Errorf("%s has permission %q", m.Name, m.Perm)
		case !strings.HasSuffix(m.Summary, ".") || len(m.Summary) > 120:
			t.Errorf("%s: the summary is no short sentence: %q", m.Name, m.Summary)
		case m.Params == nil || m.Result == nil || reflect.TypeOf(m.Params).Kind() != reflect.Struct || reflect.TypeOf(m.Result).Kind() != reflect.Struct:
			t.Errorf("%s: parameters and result must be structs", m.Name)
		case m.Perm != Read && m.Heavy:
			t.Errorf("%s: only reads wait for a slot", m.Name)
		}
		seen[m.Name] = true
	}
}

// TestExamplesDecode takes each example as a server would.
func TestExamplesDecode(t *testing.T) {
	for _, m := range Methods() {
		p := reflect.New(reflect.TypeOf(m.Params))
		set := paramSet(fields(reflect.TypeOf(m.Params)))
		if err := set.decode(json.RawMessage(m.Example), p.Interface()); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
		if !json.Valid([]byte(m.Request())) {
			t.Errorf("%s: %s is no JSON", m.Name, m.Request())
		}
	}
}

// TestEveryBackendMethodIsRegisteredOnce compares the interface with the rows:
// node_status is NodeStatus.
func TestEveryBackendMethodIsRegisteredOnce(t *testing.T) {
	want := map[string]bool{}
	b := reflect.TypeFor[Backend]()
	for i := range b.NumMethod() {
		want[b.Method(i).Name] = true
	}
	for _, m := range Methods() {
		if m.Socket() {
			continue
		}
		var goName string
		for part := range strings.SplitSeq(m.Name, "_") {
			goName += strings.ToUpper(part[:1]) + part[1:]
		}
		if !want[goName] {
			t.Errorf("%s has no Backend method %s of its own", m.Name, goName)
		}
		delete(want, goName)
	}
	delete(want, "TxSubmitAll") // a batch of tx_submit
	for name := range want {
		t.Errorf("Backend.%s has no row in the registry", name)
	}
}

func TestParametersAreInPositionalOrder(t *testing.T) {
	got := paramsOf[DatasetListParams]().names()
	if got != "limit, cursor, datanet, owner" {
		t.Errorf("got %s", got)
	}
	var p DatasetListParams
	if err := paramsOf[DatasetListParams]().decode([]byte(`[5, null, "`+exampleHash+`"]`), &p); err != nil || p.Limit != 5 || p.Datanet == nil || p.Owner != nil {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestDeepUnknownNamesAreRefused(t *testing.T) {
	var p EventsParams
	for _, text := range []string{`{"from":{"height":1,"seq":2,"x":3}}`, `[{"height":1,"sequence":2}]`, `{"account":3}`, `{"topics":"head"}`} {
		err := paramsOf[EventsParams]().decode([]byte(text), &p)
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeInvalidParams || e.Data.Code != "BAD_PARAMS" || e.Data.Hint == "" {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzParams(f *testing.F) {
	for _, m := range Methods() {
		f.Add(m.Name, []byte(m.Example))
	}
	f.Add("tx_build", []byte(`["Transfer",{},"`+exampleAddress+`"]`))
	f.Add("chain_events", []byte(`[{"height":1,"seq":2},["head"],null,3]`))
	sets := map[string]Method{}
	for _, m := range Methods() {
		sets[m.Name] = m
	}
	f.Fuzz(func(t *testing.T, name string, raw []byte) {
		m, ok := sets[name]
		if !ok {
			m = sets["chain_events"]
		}
		set := paramSet(fields(reflect.TypeOf(m.Params)))
		p := reflect.New(reflect.TypeOf(m.Params))
		if err := set.decode(raw, p.Interface()); err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Data.Code == "" {
				t.Fatalf("%s: %v has no code", raw, err)
			}
			return
		}
		text, err := json.Marshal(p.Interface())
		if err != nil {
			t.Fatal(err)
		}
		again := reflect.New(reflect.TypeOf(m.Params))
		if err := set.decode(text, again.Interface()); err != nil {
			t.Fatalf("%s was taken, its own print %s is not: %v", raw, text, err)
		}
	})
}

func TestErrorsCompareByTheirCode(t *testing.T) {
	err := error(NotFound("x"))
	if !errors.Is(err, NotFound("y")) || errors.Is(err, Busy("x", 0)) || errors.Is(err, context.Canceled) || err.Error() != "NOT_FOUND: x not found" {
		t.Errorf("got %v", err)
	}
}

func TestEveryErrorHasACodeOfTheTableAndAHint(t *testing.T) {
	table := map[string]int{}
	for _, e := range Errors() {
		if _, ok := table[e.Code]; ok && e.Code != "BAD_PARAMS" {
			t.Errorf("%s is there twice", e.Code)
		}
		if e.Meaning == "" || e.Number >= 0 {
			t.Errorf("%+v", e)
		}
		table[e.Code] = e.Number
	}
	for _, e := range []*Error{NotFound("x"), BadParams("x", "y"), Unauthorized(Admin), Limit("x", 1), Busy("x", 1), NotFinal("x"), invalid("x", "y")} {
		if number, ok := table[e.Data.Code]; !ok || e.Data.Hint == "" || (number != e.Code && e.Data.Code != "BAD_PARAMS") {
			t.Errorf("%+v is not in the table", e)
		}
	}
}

func TestPagesAreBounded(t *testing.T) {
	for limit, want := range map[int]int{0: 100, -1: 100, 1: 1, 1_000: 1_000, 1_001: 1_000} {
		if got := (Page{Limit: limit}).Size(); got != want {
			t.Errorf("limit %d gives %d", limit, got)
		}
	}
}

func TestHashesAsPeopleTypeThem(t *testing.T) {
	if h, err := ParseHash(strings.TrimPrefix(exampleHash, "0x")); err != nil || h.String() != exampleHash {
		t.Errorf("got %v %v", h, err)
	}
	for _, text := range []string{"", "0x", "0x00", exampleHash + "00", strings.Repeat("g", 64)} {
		if _, err := ParseHash(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
