-- Health of a Sluice resource for Argo CD: sync waves wait until the operator has seen this very generation and says Ready.
-- One script for all kinds; see manifests/argocd/README.md for where it goes.
local health = { status = "Progressing", message = "Waiting for the Sluice operator" }

if obj.spec ~= nil and obj.spec.suspend == true then
  health.status = "Suspended"
  health.message = "spec.suspend is true"
  return health
end
if obj.status == nil or obj.status.conditions == nil then
  return health
end
if obj.status.observedGeneration ~= nil and obj.metadata.generation ~= nil and obj.status.observedGeneration < obj.metadata.generation then
  health.message = "Generation " .. obj.metadata.generation .. " has not been reconciled yet"
  return health
end

local conditions = {}
for _, condition in ipairs(obj.status.conditions) do
  conditions[condition.type] = condition
end
local stalled, ready = conditions.Stalled, conditions.Ready

-- Not ready for a reason that is part of getting there; any other reason wants somebody to look.
local underway = { Reconciling = true, Probing = true, WorkersNotReady = true, RetentionDecreasing = true, Draining = true,
  Deleting = true }

if ready ~= nil and ready.status == "True" then
  health.status = "Healthy"
  health.message = ready.message
elseif ready ~= nil and ready.status == "False" then
  local stuck = stalled ~= nil and stalled.status == "True"
  health.status = (stuck or not underway[ready.reason]) and "Degraded" or "Progressing"
  health.message = ready.reason .. ": " .. ready.message
end
return health
