package service

import (
	"net/http"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/policy"
)

// takePlace refuses where the plan of a workspace has no place left beside
// those that are used. It runs in the transaction that takes the place.
func takePlace(w *promptrails.Workspace, limit promptrails.LimitKey, used int64, advice string) error {
	most := policy.Max(string(w.Plan), string(limit))
	if most == policy.Unlimited || used < most {
		return nil
	}
	return problem(http.StatusPaymentRequired, promptrails.CodeQuotaExceeded, "the plan %s has %d %s", w.Plan, most, advice).
		with(map[string]any{"limit": limit, "max": most, "used": used, "plan": w.Plan})
}

// needFeature refuses what the plan of a workspace does not have.
func needFeature(w *promptrails.Workspace, feature promptrails.Feature) error {
	if policy.HasFeature(string(w.Plan), string(feature)) {
		return nil
	}
	return problem(http.StatusForbidden, promptrails.CodeFeatureNotInPlan, "%s is not in the plan %s; details.available_in names the plans that have it", feature, w.Plan).
		with(map[string]any{"feature": feature, "plan": w.Plan, "available_in": policy.PlansWith(string(feature))})
}
