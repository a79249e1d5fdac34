-- Actions on a template. They concern new runs; accepted ones continue.

local suspended = obj.spec.suspend == true

return {
  ["suspend"] = {
    ["disabled"] = suspended,
    ["displayName"] = "Hold new runs",
    ["iconClass"] = "fa fa-fw fa-pause",
  },
  ["resume"] = {
    ["disabled"] = not suspended,
    ["displayName"] = "Accept new runs",
    ["iconClass"] = "fa fa-fw fa-play",
  },
}
