return {
  ["probe"] = {
    ["disabled"] = false,
    ["displayName"] = "Probe now",
    ["iconClass"] = "fa fa-fw fa-sync",
  },
}
