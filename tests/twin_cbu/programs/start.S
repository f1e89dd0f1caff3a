@ Vectors, stacks, and calls of main, on_irq and on_fiq: what every program here begins with.
.arm
.section .vectors, "ax"
.global vectors
vectors:
    ldr pc, =reset
    ldr pc, =undefined
    ldr pc, =software
    ldr pc, =dead
    ldr pc, =dead
    nop
    ldr pc, =irq
    ldr pc, =fiq
.ltorg

.text
reset:
    msr cpsr_c, #0xD2           @ IRQ mode
    ldr sp, =0x400800
    msr cpsr_c, #0xD1           @ FIQ mode
    ldr sp, =0x400C00
    msr cpsr_c, #0xDB           @ undefined mode
    ldr sp, =0x401000
    msr cpsr_c, #0xD3           @ supervisor mode
    ldr sp, =0x402000
    msr cpsr_c, #0xDF           @ system mode
    ldr sp, =0x404000
    bl main
    b .

irq:
    sub lr, lr, #4
    stmfd sp!, {r0-r3, r12, lr}
    bl on_irq
    ldmfd sp!, {r0-r3, r12, pc}^

fiq:
    sub lr, lr, #4
    stmfd sp!, {r0-r3, r12, lr}
    bl on_fiq
    ldmfd sp!, {r0-r3, r12, pc}^

undefined:
    stmfd sp!, {r0-r3, r12, lr}
    bl on_undefined
    ldmfd sp!, {r0-r3, r12, pc}^

software:
    stmfd sp!, {r0-r3, r12, lr}
    bl on_software
    ldmfd sp!, {r0-r3, r12, pc}^

dead:
    b .

.global unmask
unmask:
    mrs r0, cpsr
    bic r0, r0, #0xC0
    msr cpsr_c, r0
    bx lr

.type on_irq, %function
.type on_fiq, %function
.type on_undefined, %function
.type on_software, %function
.type unmask, %function
.weak on_irq
.weak on_fiq
.weak on_undefined
.weak on_software
on_irq:
on_fiq:
on_undefined:
on_software:
    bx lr
