// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"reflect"
	"testing"
)

// TestPlainSubmitParametersReadAsAllOthers compares the short way with the general
// one.
func TestPlainSubmitParametersReadAsAllOthers(t *testing.T) {
	plain := map[string]bool{
		`{"bytes":"AAECAw==","wait":"none"}`:   true,
		`{"bytes":"AAECAw==","wait":"final"}`:  true,
		`{"bytes":"","wait":"mempool"}`:        true,
		`{"bytes":"AAECAw=="}`:                 true,
		`{"bytes":"AAECAw==","wait":"later"}`:  false,
		`{"bytes":"AAECAw==","wait":null}`:     false,
		`{"bytes":"AAECAw==","more":1}`:        false,
		`{"bytes":"AAECAw"}`:                   false,
		`{"bytes":"AAEC\u0041w=="}`:            false,
		"{\"bytes\":\"AAEC\nAw==\"}":           false,
		`{"wait":"none","bytes":"AAECAw=="}`:   false,
		`{"bytes":"AAECAw==", "wait":"none"}`:  false,
		`{"Bytes":"AAECAw=="}`:                 false,
		`["AAECAw==","none"]`:                  false,
		`{"bytes":"AAECAw==","wait":"none"} `:  false,
		`{"bytes":"AA==","bytes":"AAECAw=="}`:  false,
		`{"bytes":"AAECAw==","wait":"none"}}`:  false,
		`{"bytes":"AAECAw==","wait":"no\"ne"}`: false,
	}
	for text, want := range plain {
		got, ok := plainSubmit([]byte(text))
		if ok != want {
			t.Errorf("%s: plain is %v", text, ok)
		}
		if !ok {
			continue
		}
		var general TxSubmitParams
		if err := submitParams.decode(json.RawMessage(text), &general); err != nil || !reflect.DeepEqual(got, general) {
			t.Errorf("%s: %+v, in general %+v, %v", text, got, general, err)
		}
	}
}
