// SPDX-License-Identifier: Apache-2.0

package rpc

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/openledger/openledger/rpc/api"
)

func submission(id, bytes, wait string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"tx_submit","params":{"bytes":"` + bytes + `"` + wait + `}}`
}

// usual are bodies that quickParse takes.
func usual() (out []string) {
	one := submission("7", "AAEC/+==", `,"wait":"mempool"`)
	out = append(out, one, submission("0", "", ""), "["+one+"]", "["+one+","+submission("12", "qg==", "")+"]")
	return append(out, "["+strings.Repeat(one+",", MaxBatch-1)+one+"]")
}

func TestUsualBodiesAreTakenInOnePass(t *testing.T) {
	for _, body := range usual() {
		if _, _, ok := quickParse([]byte(body)); !ok {
			t.Errorf("not taken: %.200s", body)
		}
		same(t, []byte(body))
	}
}

func TestOtherBodiesAreLeftToTheGeneralDecoder(t *testing.T) {
	one := submission("1", "AA==", "")
	for _, body := range []string{"", "[", "[]", "[" + one, "[" + one + ",]", one + " ", one + one, "[" + one + "," + "]", one[:len(one)-1],
		submission("01", "AA==", ""), submission("1e3", "AA==", ""), submission("-1", "AA==", ""), submission(`"1"`, "AA==", ""),
		submission("1", `\u0041`, ""), submission("1", "A\n", ""), submission("1", "\xff", ""), submission("1", "AA==", `,"wait":"a b"`),
		submission("1", "AA==", `,"wait":1`), submission("1", "AA==", `,"bytes":"BB=="`), submission(strings.Repeat("9", 16), "AA==", ""),
		"[" + strings.Repeat(one+",", MaxBatch) + one + "]"} {
		if _, _, ok := quickParse([]byte(body)); ok {
			t.Errorf("taken: %.200s", body)
		}
	}
}

// same wants the outcome of the general decoder.
func same(t *testing.T, body []byte) {
	t.Helper()
	got, batch, ok := quickParse(body)
	if !ok {
		return
	}
	want, list, refusal := parseAny(body)
	if refusal != nil || list != batch || !reflect.DeepEqual(got, want) {
		t.Fatalf("%q: %v, %v; the general decoder says %v, %v, %v", body, got, batch, want, list, refusal)
	}
}

func FuzzQuickParse(f *testing.F) {
	for _, body := range usual()[:4] {
		f.Add([]byte(body))
	}
	f.Fuzz(same)
}

func TestAnswersAreThoseOfTheGeneralEncoder(t *testing.T) {
	ok := func(id string, result any) response {
		b, err := json.Marshal(result)
		if err != nil {
			t.Fatal(err)
		}
		return response{Version: "2.0", ID: json.RawMessage(id), Result: b}
	}
	all := []response{ok("7", api.TxStatus{Status: "pending"}), ok(`"<a>"`, "<b>"), ok("0", nil), ok("1.50", []int{1}), failure(nil, api.Limit("slow", 1)),
		failure(json.RawMessage("3"), api.NotFinal("x"))}
	for n := 1; n <= len(all); n++ {
		for _, batch := range []bool{true, false} {
			list, want := all[:n], any(all[:n])
			if !batch {
				list, want = all[n-1:n], all[n-1]
			}
			a, b := httptest.NewRecorder(), httptest.NewRecorder()
			writeAnswers(a, list, batch)
			writeJSON(b, 200, want)
			if fmt.Sprint(a.Body, a.Header(), a.Code) != fmt.Sprint(b.Body, b.Header(), b.Code) {
				t.Errorf("%v\nthe general encoder says\n%v", a.Body, b.Body)
			}
		}
	}
}

func BenchmarkParseTen(b *testing.B) {
	body := []byte("[" + strings.Repeat(submission("7", strings.Repeat("A", 336), `,"wait":"mempool"`)+",", 9) + submission("7", strings.Repeat("A", 336), `,"wait":"mempool"`) + "]")
	b.Run("quick", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			parse(body)
		}
	})
	b.Run("general", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			parseAny(body)
		}
	})
}
