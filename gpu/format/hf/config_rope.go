// SPDX-License-Identifier: Apache-2.0

package hf

import "github.com/openledger/openledger/gpu/format"

// defaultTheta is what folders without rope_theta mean.
const defaultTheta = 10000

// rope reads rope_theta and rope_scaling, or rope_parameters, where newer
// folders keep both.
func (f fields) rope(r *Rope) {
	old, hasOld := f.Take("rope_scaling")
	v, ok := f.Take("rope_parameters")
	if hasOld && ok && f.Err == nil {
		f.Err = old.Unsupported("stands beside rope_parameters; which one holds?")
	}
	if hasOld {
		v, ok = old, true
	}
	_, outside := f.Peek("rope_theta")
	r.ThetaBits = f.Float("rope_theta", defaultTheta)
	if !ok || f.Err != nil {
		return
	}
	in := fields{format.NewFields(v)}
	if theta, there := in.Peek("rope_theta"); there {
		if x := in.Float("rope_theta", defaultTheta); outside && x != r.ThetaBits && in.Err == nil {
			in.Err = theta.Fail("differs from the rope_theta outside")
		} else {
			r.ThetaBits = x
		}
	}
	in.scaling(v, r)
	f.Err = in.Err
}

func (f fields) scaling(v format.Value, r *Rope) {
	kind := f.Text("rope_type")
	if older := f.Text("type"); kind == "" {
		kind = older
	} else if older != "" && older != kind && f.Err == nil {
		f.Err = v.Fail("type is %.40q and rope_type %.40q", older, kind)
	}
	switch kind {
	case "default", "":
		if kind == "" {
			f.Rest(func(string, format.Value) error { return v.Fail("rope_type is missing") })
		}
	case "linear":
		r.Scaling = ScaleLinear
		r.FactorBits = f.Float("factor", 0)
	case "llama3":
		r.Scaling = ScaleLlama3
		r.FactorBits = f.Float("factor", 0)
		r.LowBits = f.Float("low_freq_factor", 0)
		r.HighBits = f.Float("high_freq_factor", 0)
		r.Original = f.Uint("original_max_position_embeddings", nil)
	default:
		if f.Err == nil {
			f.Err = v.Unsupported("rope_type %.40q; default, linear and llama3 are supported", kind)
		}
	}
	f.fixed()
	f.rest()
}
