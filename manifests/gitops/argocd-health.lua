-- The health of an AsyncOperation, for Argo CD: the value of
-- resource.customizations.health.alo-operator.io_AsyncOperation in the ConfigMap argocd-cm. See docs/gitops.md.
-- It agrees with kstatus, but for a pause, which Argo CD has a word for. It needs no library but Lua's basic one.
local health = { status = "Progressing", message = "not yet seen by an operator" }
local seen = obj.status
if seen == nil or seen.conditions == nil then
  return health
end
-- A deletion raises the generation, too; nobody follows it once the outcome is known.
if seen.observedGeneration ~= obj.metadata.generation and obj.metadata.deletionTimestamp == nil then
  health.message = "the last change of the spec is not yet taken in"
  return health
end

local conditions = {}
for _, condition in ipairs(seen.conditions) do
  conditions[condition.type] = condition
end
local function holds(kind)
  return conditions[kind] ~= nil and conditions[kind].status == "True"
end
local function say(status, kind)
  local condition = conditions[kind]
  return { status = status, message = condition.reason .. ": " .. (condition.message or "") }
end

if holds("Stalled") then
  return say("Degraded", "Stalled")
end
if holds("Ready") then
  return say("Healthy", "Ready")
end
if holds("Suspended") and not holds("CancelRequested") then
  return say("Suspended", "Suspended")
end
if conditions.Accepted ~= nil and conditions.Accepted.status == "False" and seen.phase == "Pending" then
  return say("Progressing", "Accepted")
end
if seen.phase == "Pending" and conditions.Started ~= nil then
  return say("Progressing", "Started")
end
health.message = seen.phase
if seen.progress ~= nil and (seen.progress.message or seen.progress.summary) ~= nil then
  health.message = seen.phase .. ": " .. (seen.progress.message or seen.progress.summary)
end
return health
